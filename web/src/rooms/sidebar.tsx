// The left pane: search, invitations, conversations, people found; below, who is signed in.
import { useMemo, useState, type KeyboardEvent } from 'react'
import type { User } from '@starling/client'
import { useText } from '../i18n/text'
import { useClient, useMe } from '../hooks/use-client'
import { usePeople } from '../hooks/use-people'
import { problemText } from '../hooks/use-problem'
import { go } from '../hooks/use-route'
import { useStore } from '../hooks/use-store'
import { Avatar } from '../ui/avatar'
import { isComposing } from '../ui/growing'
import { Icon } from '../ui/icon'
import { Starling } from '../ui/starling'
import { useToast } from '../ui/toast'
import { matchesRoom } from './find'
import { InvitationRow } from './invitation'
import { PersonLabel } from './person-row'
import { RoomRow } from './room-row'

interface SidebarProps {
  active?: string
  onNewGroup: () => void
  onSettings: () => void
}

/** Opens the direct room with somebody. */
export function useOpenDirect() {
  const client = useClient()
  const toast = useToast()
  const { t, language } = useText()
  return async (user: User) => {
    try {
      const room = await client.rooms.open({ members: [user.id] })
      go({ page: 'room', room: room.id })
      return true
    } catch (error) {
      toast(problemText(error, t, language))
      return false
    }
  }
}

export function Sidebar({ active, onNewGroup, onSettings }: SidebarProps) {
  const { t } = useText()
  const client = useClient()
  const rooms = useStore(client.rooms.list)
  const me = useMe()
  const [query, setQuery] = useState('')
  const { people, searching } = usePeople(query)
  const openDirect = useOpenDirect()
  // With no conversation open, the brand is the page's heading.
  const Brand = active === undefined ? 'h1' : 'span'
  const invitations = rooms.filter((room) => room.me?.state === 'invited')
  const joined = rooms.filter((room) => room.me?.state === 'joined')
  const shown = query.trim() === '' ? joined : joined.filter((room) => matchesRoom(room, query))
  const known = useMemo(() => new Set(joined.flatMap((room) => (room.kind === 'direct' && room.peer ? [room.peer.user.id] : []))), [joined])
  const strangers = people.filter((user) => user.id !== me?.id && !known.has(user.id))
  const openPerson = async (user: User) => {
    if (await openDirect(user)) setQuery('')
  }
  return (
    <nav className="sidebar" aria-label={t.rooms} onKeyDown={moveByArrows}>
      <header className="sidebar-head">
        <Brand className="brand"><Starling size={30} /> <span>Starling</span></Brand>
        <button type="button" className="icon-button" aria-label={t.newGroup} title={t.newGroup} onClick={onNewGroup}>
          <Icon name="newGroup" />
        </button>
      </header>
      <div className="search" role="search">
        <Icon name="search" size={18} />
        <input
          type="search"
          value={query}
          aria-label={t.searchHint}
          placeholder={t.search}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => setQuery(event.target.value)}
          onKeyDown={(event) => {
            if (isComposing(event)) return
            if (event.key === 'Escape') setQuery('')
            if (event.key !== 'Enter') return
            const [room] = shown
            const [person] = strangers
            if (room) {
              setQuery('')
              go({ page: 'room', room: room.id })
            } else if (person) void openPerson(person)
          }}
        />
        {query !== '' && (
          <button type="button" className="icon-button" aria-label={t.clear} onClick={() => setQuery('')}><Icon name="close" size={16} /></button>
        )}
      </div>
      <div className="sidebar-scroll">
        {invitations.length > 0 && query === '' && (
          <section aria-label={t.invitations}>
            <h2 className="section-title">{t.invitations}</h2>
            <ul className="room-list">
              {invitations.map((view) => <InvitationRow key={view.id} view={view} active={view.id === active} />)}
            </ul>
          </section>
        )}
        <ul className="room-list" aria-label={t.rooms}>
          {shown.map((view) => <RoomRow key={view.id} view={view} active={view.id === active} />)}
        </ul>
        {query.trim() !== '' && (
          <section aria-label={t.people}>
            {strangers.length > 0 && <h2 className="section-title">{t.people}</h2>}
            <ul className="room-list" aria-label={t.people}>
              {strangers.map((user) => (
                <li key={user.id}>
                  <button type="button" className="person" onClick={() => void openPerson(user)}><PersonLabel user={user} /></button>
                </li>
              ))}
            </ul>
            {shown.length === 0 && strangers.length === 0 && <p className="list-empty muted" role="status">{searching ? t.searching : t.nothingFound}</p>}
          </section>
        )}
        {rooms.length === 0 && query === '' && me && (
          <div className="list-empty">
            <strong>{t.noRooms}</strong>
            <p className="muted">{t.noRoomsHint}</p>
          </div>
        )}
      </div>
      <footer className="sidebar-foot">
        <button type="button" className="me" onClick={onSettings}>
          {me && <Avatar id={me.id} name={me.display_name} size={34} />}
          <span className="person-text">
            <span className="person-name">{me?.display_name ?? ''}</span>
            <span className="person-id">{me ? `@${me.id}` : ''}</span>
          </span>
          <span className="visually-hidden">{t.settings}</span>
          <Icon name="settings" />
        </button>
      </footer>
    </nav>
  )
}

/** Arrow keys move between the conversations and people; from the search field, down goes to the first. */
function moveByArrows(event: KeyboardEvent<HTMLElement>): void {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
  const entries = [...event.currentTarget.querySelectorAll<HTMLElement>('.room-row, .invitation-link, .person')]
  const at = entries.indexOf(document.activeElement as HTMLElement)
  const inSearch = document.activeElement instanceof HTMLInputElement
  if (at < 0 && !inSearch) return
  const next = event.key === 'ArrowDown' ? entries[at + 1] : at > 0 ? entries[at - 1] : event.currentTarget.querySelector<HTMLElement>('input')
  if (!next) return
  event.preventDefault()
  next.focus()
}
