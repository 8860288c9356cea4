// Ctrl/Cmd+K: jump to any conversation or person by a few letters.
import { useId, useState } from 'react'
import { useText } from '../i18n/text'
import { useClient, useMe } from '../hooks/use-client'
import { usePeople } from '../hooks/use-people'
import { go } from '../hooks/use-route'
import { useStore } from '../hooks/use-store'
import { Dialog } from '../ui/dialog'
import { isComposing } from '../ui/growing'
import { Icon } from '../ui/icon'
import { matchesRoom } from './find'
import { PersonLabel } from './person-row'
import { RoomFace } from './room-face'
import { useOpenDirect } from './sidebar'
import { roomTitle } from './title'

const SHOWN_MAX = 9

export function QuickSwitcher({ onClose }: { onClose: () => void }) {
  const { t } = useText()
  const client = useClient()
  const me = useMe()
  const rooms = useStore(client.rooms.list)
  const [query, setQuery] = useState('')
  const [at, setAt] = useState(0)
  const { people } = usePeople(query)
  const openDirect = useOpenDirect()
  const listId = useId()
  const matching = rooms.filter((room) => matchesRoom(room, query)).slice(0, SHOWN_MAX)
  const known = new Set(rooms.flatMap((room) => (room.kind === 'direct' && room.peer ? [room.peer.user.id] : [])))
  const options = [
    ...matching.map((view) => ({ key: `room:${view.id}`, view, user: undefined })),
    ...people.filter((user) => user.id !== me?.id && !known.has(user.id)).map((user) => ({ key: `user:${user.id}`, view: undefined, user })),
  ].slice(0, SHOWN_MAX)
  const current = Math.min(at, options.length - 1)
  const choose = (option: (typeof options)[number]) => {
    onClose()
    if (option.view) go({ page: 'room', room: option.view.id })
    else void openDirect(option.user)
  }
  return (
    <Dialog title={t.quickSwitcher} onClose={onClose} className="switcher" bare>
      <div className="switcher-field">
        <Icon name="search" />
        <input
          value={query}
          data-autofocus
          role="combobox"
          aria-expanded
          aria-controls={listId}
          aria-activedescendant={options[current] ? `${listId}-${current}` : undefined}
          aria-label={t.quickSwitcher}
          placeholder={t.quickSwitcherHint}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => {
            setQuery(event.target.value)
            setAt(0)
          }}
          onKeyDown={(event) => {
            if (isComposing(event)) return
            if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
              event.preventDefault()
              const step = event.key === 'ArrowDown' ? 1 : -1
              setAt((Math.max(current, 0) + step + Math.max(options.length, 1)) % Math.max(options.length, 1))
            } else if (event.key === 'Enter') {
              event.preventDefault()
              const option = options[current]
              if (option) choose(option)
            }
          }}
        />
      </div>
      <ul id={listId} role="listbox" aria-label={t.quickSwitcher} className="switcher-list">
        {options.map((option, i) => (
          <li
            key={option.key}
            id={`${listId}-${i}`}
            role="option"
            aria-selected={i === current}
            className="switcher-option"
            onPointerMove={() => setAt(i)}
            onClick={() => choose(option)}
          >
            {option.view ? (
              <>
                <RoomFace view={option.view} size={32} />
                <span className="person-text"><span className="person-name">{roomTitle(option.view, t)}</span></span>
                {option.view.unread > 0 && <span className="badge">{option.view.unread}</span>}
              </>
            ) : (
              <PersonLabel user={option.user} size={32} />
            )}
          </li>
        ))}
        {options.length === 0 && <li className="list-empty muted">{t.nothingFound}</li>}
      </ul>
    </Dialog>
  )
}
