// Offers members while an @ is being typed. The focus stays in the text field; this is its list.
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react'
import type { RoomHandle, User } from '@starling/client'
import { useText } from '../i18n/text'
import { useClient } from '../hooks/use-client'
import { PersonLabel } from '../rooms/person-row'
import { offered, typedMention } from './mentions'

/** The server's largest page: whom it doesn't hold can still be called on by typing the id. */
const MEMBERS_MAX = 500
const NOBODY: User[] = []

/** The others in a room, read when first needed, and again when somebody comes or goes. */
export function useOthers(room: RoomHandle, me: string, needed: boolean): User[] {
  const client = useClient()
  const [others, setOthers] = useState(NOBODY)
  const [wanted, setWanted] = useState(needed)
  if (needed && !wanted) setWanted(true)
  useEffect(() => {
    if (!wanted) return undefined
    let current = true
    const load = () =>
      room.members({ limit: MEMBERS_MAX }).then(
        ({ members }) => current && setOthers(members.map(({ user }) => user).filter(({ id }) => id !== me)),
        // Without the list, mentions are plain text.
        () => undefined,
      )
    void load()
    const off = client.on('member.updated', (event) => {
      if (event.room === room.id) void load()
    })
    return () => {
      current = false
      off()
    }
  }, [client, room, me, wanted])
  return others
}

interface MentionOptions {
  text: string
  caret: number
  people: User[]
  listId: string
  onPick: (user: User, from: number) => void
}

export interface MentionChoice {
  options: User[]
  current: number
  listId: string
  pick: (user: User) => void
  /** Whether the key was for the list. */
  onKeyDown: (event: KeyboardEvent) => boolean
}

export function useMentionChoice({ text, caret, people, listId, onPick }: MentionOptions): MentionChoice {
  const typed = typedMention(text, caret)
  const from = typed?.from
  const query = typed?.query
  const [at, setAt] = useState(0)
  /** Where the @ stands for which the list was closed. */
  const [dismissed, setDismissed] = useState<number>()
  useEffect(() => setAt(0), [query, from])
  useEffect(() => {
    if (from === undefined) setDismissed(undefined)
  }, [from])
  const options = useMemo(() => (query === undefined ? NOBODY : offered(people, query)), [people, query])
  const open = from !== undefined && from !== dismissed
  const shown = open ? options : NOBODY
  const current = Math.min(at, shown.length - 1)
  const pick = (user: User) => from !== undefined && onPick(user, from)
  const onKeyDown = (event: KeyboardEvent): boolean => {
    const chosen = shown[current]
    if (!chosen || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return false
    if (event.key === 'ArrowDown') setAt((current + 1) % shown.length)
    else if (event.key === 'ArrowUp') setAt((current + shown.length - 1) % shown.length)
    else if (event.key === 'Enter' || event.key === 'Tab') pick(chosen)
    else if (event.key === 'Escape') setDismissed(from)
    else return false
    event.preventDefault()
    event.stopPropagation()
    return true
  }
  return { options: shown, current, listId, pick, onKeyDown }
}

export function MentionList({ choice }: { choice: MentionChoice }) {
  const { t } = useText()
  const list = useRef<HTMLDivElement>(null)
  const { options, current, listId, pick } = choice
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' })
  }, [current])
  if (options.length === 0) return null
  return (
    <div className="mention-list" ref={list} id={listId} role="listbox" aria-label={t.mentionPeople}>
      {options.map((user, i) => (
        <div
          key={user.id}
          id={`${listId}-${i}`}
          className="mention-option"
          role="option"
          aria-selected={i === current}
          // The text field keeps the focus, and phones their keyboard.
          onPointerDown={(event) => event.preventDefault()}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => pick(user)}
        >
          <PersonLabel user={user} size={30} />
        </div>
      ))}
    </div>
  )
}
