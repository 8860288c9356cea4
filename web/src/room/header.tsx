// The head of a conversation: who it is with, whether they are there or writing, and the way to the details.
import type { RoomView, User } from '@starling/client'
import { useText } from '../i18n/text'
import { useNow } from '../hooks/use-now'
import { usePresence } from '../hooks/use-presence'
import { go } from '../hooks/use-route'
import { RoomFace } from '../rooms/room-face'
import { TypingDots, typingText } from '../timeline/typing'
import { Icon } from '../ui/icon'
import { roomTitle } from '../rooms/title'

const MINUTE_MS = 60_000

interface HeaderProps {
  view: RoomView
  typing: User[]
  detailsOpen: boolean
  onDetails: () => void
}

export function RoomHeader({ view, typing, detailsOpen, onDetails }: HeaderProps) {
  const { t } = useText()
  return (
    <header className="room-header">
      <button type="button" className="icon-button back" aria-label={t.back} onClick={() => go({ page: 'home' })}>
        <Icon name="back" />
      </button>
      <button type="button" className="room-header-title" onClick={onDetails}>
        <RoomFace view={view} size={38} />
        <span className="room-header-text">
          <span className="room-header-name" role="heading" aria-level={1}>{roomTitle(view, t)}</span>
          <span className={typing.length > 0 ? 'room-header-state active' : 'room-header-state'}>
            {typing.length > 0 ? <><TypingDots /> {typingText(typing, t)}</> : view.kind === 'direct' ? <PeerState view={view} /> : <GroupState view={view} />}
          </span>
        </span>
        <span className="visually-hidden">{t.details}</span>
      </button>
      <button type="button" className="icon-button" aria-label={t.details} aria-expanded={detailsOpen} title={t.details} onClick={onDetails}>
        <Icon name="details" />
      </button>
    </header>
  )
}

function GroupState({ view }: { view: RoomView }) {
  const { t } = useText()
  return <>{[view.members > 0 && t.memberCount(view.members), view.settings.topic].filter(Boolean).join(' · ')}</>
}

export function PeerState({ view }: { view: RoomView }) {
  const { t, time } = useText()
  const id = view.peer?.user.id
  const presence = usePresence(id ? [id] : [])
  const now = useNow(MINUTE_MS)
  const state = id ? presence[id] : undefined
  if (!state) return null
  if (state.online) return <>{t.online}</>
  return <>{state.lastSeenAt ? t.lastSeen(time.ago(state.lastSeenAt, now)) : t.offlinePresence}</>
}
