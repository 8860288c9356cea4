// Picks people: type to find, chosen ones stand above as chips.
import { useId, useState } from 'react'
import type { User } from '@starling/client'
import { useText } from '../i18n/text'
import { usePeople } from '../hooks/use-people'
import { Avatar } from '../ui/avatar'
import { isComposing } from '../ui/growing'
import { Icon } from '../ui/icon'
import { PersonLabel } from './person-row'

interface PickerProps {
  chosen: User[]
  onChange: (chosen: User[]) => void
  /** Ids that can't be chosen: oneself, who is there already. */
  without: ReadonlySet<string>
  label: string
  autoFocus?: boolean
}

export function PeoplePicker({ chosen, onChange, without, label, autoFocus }: PickerProps) {
  const { t } = useText()
  const [query, setQuery] = useState('')
  const { people, searching } = usePeople(query)
  const listId = useId()
  const options = people.filter((user) => !without.has(user.id) && !chosen.some((other) => other.id === user.id))
  const add = (user: User) => {
    onChange([...chosen, user])
    setQuery('')
  }
  return (
    <div className="people-picker">
      <label className="field">
        <span className="field-label">{label}</span>
        <span className="chips-field">
          {chosen.map((user) => (
            <span key={user.id} className="chip">
              <Avatar id={user.id} name={user.display_name} size={20} />
              {user.display_name}
              <button type="button" aria-label={t.removePerson(user.display_name)} onClick={() => onChange(chosen.filter((other) => other.id !== user.id))}>
                <Icon name="close" size={14} />
              </button>
            </span>
          ))}
          <input
            value={query}
            data-autofocus={autoFocus || undefined}
            placeholder={chosen.length === 0 ? t.addPeopleHint : ''}
            aria-label={label}
            aria-controls={listId}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            onChange={(event) => setQuery(event.target.value)}
            onKeyDown={(event) => {
              if (isComposing(event)) return
              if (event.key === 'Enter') {
                event.preventDefault()
                if (options[0] && !searching) add(options[0])
              } else if (event.key === 'Backspace' && query === '') onChange(chosen.slice(0, -1))
            }}
          />
        </span>
      </label>
      <ul className="people-options" id={listId} aria-label={t.people}>
        {options.map((user) => (
          <li key={user.id}>
            <button type="button" className="person" onClick={() => add(user)}>
              <PersonLabel user={user} size={32} />
            </button>
          </li>
        ))}
        {query.trim() !== '' && options.length === 0 && <li className="muted people-none">{searching ? t.searching : t.nothingFound}</li>}
      </ul>
    </div>
  )
}
