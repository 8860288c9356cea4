// Signing in and signing up; with a setup link, creating the server's administrator.
import { useEffect, useState, type FormEvent } from 'react'
import { auth, ChatError, type ServerInfo, type Session } from '@starling/client'
import { useText } from '../i18n/text'
import { useAction } from '../hooks/use-problem'
import { Icon } from '../ui/icon'
import { Murmuration } from '../ui/murmuration'
import { PasswordField } from '../ui/password'
import { Starling } from '../ui/starling'
import { deviceName } from './device-name'
import { LanguageMenu } from './language-menu'

const ID = /^[a-z0-9._=-]{1,64}$/
const PASSWORD_BYTES_MIN = 8
const PASSWORD_BYTES_MAX = 256
const DISPLAY_NAME_MAX = 128

interface SignInProps {
  setupToken?: string
  ended: boolean
  onSession: (session: Session) => void
}

export function SignInPage({ setupToken, ended, onSession }: SignInProps) {
  const { t } = useText()
  const [mode, setMode] = useState<'in' | 'up'>(setupToken ? 'up' : 'in')
  const [server, setServer] = useState<ServerInfo>()
  useEffect(() => {
    auth('').server().then(setServer, () => undefined)
  }, [])
  const up = mode === 'up'
  const closed = up && setupToken === undefined && server?.registration_open === false
  return (
    <div className="sign-in">
      <div className="sign-in-sky" aria-hidden="true">
        <Murmuration />
        <p>{t.tagline}</p>
      </div>
      <main className="sign-in-main">
        <LanguageMenu />
        <div className="sign-in-card">
          <Starling size={56} />
          <h1>{setupToken ? t.setupTitle : up ? t.signUpTitle : t.signInTitle}</h1>
          {setupToken && <p className="callout"><Icon name="key" size={18} /> <span>{t.setupHint}</span></p>}
          {!setupToken && up && server?.needs_setup && <p className="callout"><Icon name="key" size={18} /> <span>{t.needsSetup}</span></p>}
          {ended && !up && <p className="callout" role="status"><Icon name="alert" size={18} /> <span>{t.sessionEnded}</span></p>}
          {closed ? <p className="callout"><Icon name="alert" size={18} /> <span>{t.registrationClosed}</span></p> : <SignInForm key={mode} up={up} setupToken={setupToken} onSession={onSession} />}
          {!setupToken && (
            <button type="button" className="link" onClick={() => setMode(up ? 'in' : 'up')}>{up ? t.toSignIn : t.toSignUp}</button>
          )}
        </div>
      </main>
    </div>
  )
}

function SignInForm({ up, setupToken, onSession }: { up: boolean; setupToken?: string; onSession: (session: Session) => void }) {
  const { t, language } = useText()
  const [id, setId] = useState('')
  const [password, setPassword] = useState('')
  const [name, setName] = useState('')
  const [checked, setChecked] = useState(false)
  const { busy, problem, run } = useAction()
  const bytes = new TextEncoder().encode(password).length
  const idProblem = checked && !ID.test(id) ? t.userIdInvalid : undefined
  const passwordProblem =
    !checked || !up ? undefined : bytes < PASSWORD_BYTES_MIN ? t.passwordTooShort : bytes > PASSWORD_BYTES_MAX ? t.passwordTooLong : undefined
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    setChecked(true)
    const form = event.currentTarget
    if (!ID.test(id) || (up && (bytes < PASSWORD_BYTES_MIN || bytes > PASSWORD_BYTES_MAX))) {
      form.querySelector<HTMLInputElement>(ID.test(id) ? 'input[name=password]' : 'input[name=username]')?.focus()
      return
    }
    await run(async () => {
      const door = auth('', { language })
      const session = up
        ? await door.register({ id, password, displayName: name.trim() || undefined, deviceName: deviceName(), setupToken })
        : await door.login({ id, password, deviceName: deviceName() })
      onSession(session)
    }).then((done) => {
      if (!done) form.querySelector<HTMLInputElement>('input[name=username]')?.select()
    })
  }
  return (
    <form className="form" noValidate onSubmit={(event) => void submit(event)}>
      <div className="field">
        <label>
          <span className="field-label">{t.userId}</span>
          <input
            name="username"
            value={id}
            required
            autoFocus
            aria-label={t.userId}
            aria-invalid={idProblem ? true : undefined}
            autoComplete="username"
            autoCapitalize="none"
            autoCorrect="off"
            spellCheck={false}
            maxLength={64}
            onChange={(event) => setId(event.target.value.toLowerCase().trim())}
          />
        </label>
        {idProblem ? <p className="field-problem" role="alert">{idProblem}</p> : up && <p className="field-hint">{t.userIdHint}</p>}
      </div>
      {up && (
        <div className="field">
          <label>
            <span className="field-label">{t.displayName}</span>
            <input name="name" value={name} autoComplete="nickname" maxLength={DISPLAY_NAME_MAX} aria-label={t.displayName} onChange={(event) => setName(event.target.value)} />
          </label>
          <p className="field-hint">{t.displayNameHint}</p>
        </div>
      )}
      <PasswordField
        name="password"
        label={t.password}
        value={password}
        required
        hint={up ? t.passwordHint : undefined}
        problem={passwordProblem}
        autoComplete={up ? 'new-password' : 'current-password'}
        onChange={setPassword}
      />
      {problem && <p className="problem" role="alert">{problem}</p>}
      <button type="submit" className="button primary wide" disabled={busy || id === '' || password === ''}>
        {busy ? t.working : up ? t.signUp : t.signIn}
      </button>
    </form>
  )
}

/** Whether an error means that this device is signed out for good. */
export function endsSession(error: unknown): boolean {
  return (
    error instanceof ChatError &&
    ['unauthenticated', 'token_expired', 'token_revoked', 'refresh_reused', 'user_disabled'].includes(error.code)
  )
}
