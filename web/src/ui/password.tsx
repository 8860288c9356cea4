// A password field whose content can be shown.
import { useState, type InputHTMLAttributes } from 'react'
import { useText } from '../i18n/text'
import { Icon } from './icon'

interface PasswordProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange' | 'type'> {
  label: string
  hint?: string
  problem?: string
  onChange: (value: string) => void
}

export function PasswordField({ label, hint, problem, onChange, ...rest }: PasswordProps) {
  const { t } = useText()
  const [shown, setShown] = useState(false)
  return (
    <div className="field">
      <label>
        <span className="field-label">{label}</span>
        <input
          {...rest}
          type={shown ? 'text' : 'password'}
          aria-label={label}
          aria-invalid={problem ? true : undefined}
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => onChange(event.target.value)}
        />
      </label>
      <button type="button" className="icon-button field-button" aria-label={shown ? t.hidePassword : t.showPassword} aria-pressed={shown} onClick={() => setShown(!shown)}>
        <Icon name={shown ? 'eyeOff' : 'eye'} />
      </button>
      {problem ? <p className="field-problem" role="alert">{problem}</p> : hint && <p className="field-hint">{hint}</p>}
    </div>
  )
}
