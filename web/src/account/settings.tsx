// Everything about oneself and this device: profile, appearance, password, devices, signing out.
import { useEffect, useState } from 'react'
import type { Device } from '@starling/client'
import { useText } from '../i18n/text'
import { useClient, useMe } from '../hooks/use-client'
import { useAction } from '../hooks/use-problem'
import { useStore } from '../hooks/use-store'
import { chooseTheme, useTheme, type Theme } from '../hooks/use-theme'
import { Avatar } from '../ui/avatar'
import { Confirm } from '../ui/confirm'
import { Dialog } from '../ui/dialog'
import { Icon } from '../ui/icon'
import { PasswordField } from '../ui/password'
import { LanguageMenu } from './language-menu'

interface SettingsProps {
  onClose: () => void
  onSignOut: () => Promise<void>
}

export function Settings({ onClose, onSignOut }: SettingsProps) {
  const { t } = useText()
  const client = useClient()
  const pending = useStore(client.rooms.list).reduce((sum, room) => sum + room.pending, 0)
  const [leaving, setLeaving] = useState(false)
  return (
    <Dialog title={t.settings} onClose={onClose} className="settings">
      <Profile />
      <Appearance />
      <Password />
      <Devices />
      <section>
        <button type="button" className="button danger-quiet" onClick={() => setLeaving(true)}><Icon name="leave" size={18} /> {t.signOut}</button>
      </section>
      {leaving && (
        <Confirm
          title={t.signOutTitle}
          hint={t.signOutHint}
          warning={pending > 0 ? t.pendingLost(pending) : undefined}
          action={t.signOut}
          onConfirm={onSignOut}
          onClose={() => setLeaving(false)}
        />
      )}
    </Dialog>
  )
}

function Profile() {
  const { t } = useText()
  const client = useClient()
  const me = useMe()
  const [name, setName] = useState(me?.display_name ?? '')
  const [saved, setSaved] = useState(false)
  const { busy, problem, run } = useAction()
  if (!me) return null
  const changed = name.trim() !== '' && name.trim() !== me.display_name
  return (
    <section aria-label={t.profile}>
      <div className="profile">
        <Avatar id={me.id} name={me.display_name} size={64} />
        <div>
          <strong>{me.display_name}</strong>
          <p className="muted">@{me.id}{me.admin && <span className="tag">{t.administrator}</span>}</p>
        </div>
      </div>
      <form
        className="inline-form"
        onSubmit={async (event) => {
          event.preventDefault()
          if (changed && (await run(() => client.updateProfile({ displayName: name.trim() })))) setSaved(true)
        }}
      >
        <label className="field">
          <span className="field-label">{t.displayName}</span>
          <input value={name} maxLength={128} onChange={(event) => { setName(event.target.value); setSaved(false) }} />
        </label>
        <button type="submit" className="button" disabled={!changed || busy}>{t.save}</button>
      </form>
      {problem && <p className="problem" role="alert">{problem}</p>}
      {saved && !changed && <p className="done" role="status"><Icon name="check" size={16} /> {t.saved}</p>}
    </section>
  )
}

function Appearance() {
  const { t } = useText()
  const theme = useTheme()
  const themes: { value: Theme; text: string }[] = [
    { value: 'system', text: t.themeSystem },
    { value: 'light', text: t.themeLight },
    { value: 'dark', text: t.themeDark },
  ]
  return (
    <section aria-label={t.appearance}>
      <h3 className="section-title">{t.appearance}</h3>
      <fieldset className="segments">
        <legend className="field-label">{t.theme}</legend>
        <div>
          {themes.map(({ value, text }) => (
            <label key={value}>
              <input type="radio" name="theme" checked={theme === value} onChange={() => chooseTheme(value)} />
              <span>{text}</span>
            </label>
          ))}
        </div>
      </fieldset>
      <div className="setting-row">
        <span className="field-label">{t.language}</span>
        <LanguageMenu />
      </div>
    </section>
  )
}

function Password() {
  const { t } = useText()
  const client = useClient()
  const me = useMe()
  const [open, setOpen] = useState(false)
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const [others, setOthers] = useState(true)
  const [done, setDone] = useState(false)
  const { busy, problem, run } = useAction()
  const short = next !== '' && new TextEncoder().encode(next).length < 8
  if (!open) {
    return (
      <section>
        <button type="button" className="button" onClick={() => { setOpen(true); setDone(false) }}><Icon name="key" size={18} /> {t.changePassword}</button>
        {done && <p className="done" role="status"><Icon name="check" size={16} /> {t.passwordChanged}</p>}
      </section>
    )
  }
  return (
    <section aria-label={t.changePassword}>
      <h3 className="section-title">{t.changePassword}</h3>
      <form
        className="form"
        onSubmit={async (event) => {
          event.preventDefault()
          if (!(await run(() => client.changePassword({ currentPassword: current, newPassword: next, revokeOtherDevices: others })))) return
          setCurrent('')
          setNext('')
          setDone(true)
          setOpen(false)
        }}
      >
        <input type="text" autoComplete="username" value={me?.id ?? ''} readOnly hidden />
        <PasswordField label={t.currentPassword} value={current} autoComplete="current-password" autoFocus onChange={setCurrent} />
        <PasswordField label={t.newPassword} value={next} autoComplete="new-password" hint={t.passwordHint} problem={short ? t.passwordTooShort : undefined} onChange={setNext} />
        <label className="check">
          <input type="checkbox" checked={others} onChange={(event) => setOthers(event.target.checked)} /> {t.revokeOthers}
        </label>
        {problem && <p className="problem" role="alert">{problem}</p>}
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={() => setOpen(false)}>{t.cancel}</button>
          <button type="submit" className="button primary" disabled={busy || current === '' || next === '' || short}>{t.changePassword}</button>
        </footer>
      </form>
    </section>
  )
}

function Devices() {
  const { t, time } = useText()
  const client = useClient()
  const [devices, setDevices] = useState<Device[]>()
  const { busy, problem, run } = useAction()
  useEffect(() => {
    void run(async () => setDevices(await client.devices.list()))
  }, [client, run])
  const revoke = (id: string) =>
    run(async () => {
      await client.devices.revoke(id)
      setDevices(await client.devices.list())
    })
  return (
    <section aria-label={t.devices}>
      <h3 className="section-title">{t.devices}</h3>
      {problem && <p className="problem" role="alert">{problem}</p>}
      {!devices && !problem && <p className="muted">{t.loading}</p>}
      <ul className="devices">
        {devices?.map((device) => (
          <li key={device.id}>
            <Icon name="device" />
            <span className="person-text">
              <span className="person-name">{device.name || t.deviceUnnamed}</span>
              <span className="person-id">{device.current ? t.thisDevice : t.deviceSeen(time.ago(device.last_seen_at))}</span>
            </span>
            {!device.current && <button type="button" className="button small" disabled={busy} onClick={() => void revoke(device.id)}>{t.revoke}</button>}
          </li>
        ))}
      </ul>
    </section>
  )
}
