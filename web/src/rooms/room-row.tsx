// A conversation in the list.
import { memo } from 'react'
import type { RoomView } from '@starling/client'
import { useText } from '../i18n/text'
import { useNow } from '../hooks/use-now'
import { Icon } from '../ui/icon'
import { RoomPreview } from './preview'
import { RoomFace } from './room-face'
import { roomTitle } from './title'

const MINUTE_MS = 60_000
const BADGE_MAX = 99

export const RoomRow = memo(function RoomRow({ view, active }: { view: RoomView; active: boolean }) {
  const { t, time } = useText()
  const now = useNow(MINUTE_MS)
  const at = view.last_message?.at ?? view.created_at
  return (
    <li>
      <a className="room-row" href={`#/room/${encodeURIComponent(view.id)}`} aria-current={active ? 'page' : undefined} data-room={view.id}>
        <RoomFace view={view} size={46} />
        <span className="room-row-text">
          <span className="room-row-top">
            <span className="room-row-title">{roomTitle(view, t)}</span>
            <time dateTime={new Date(at).toISOString()}>{time.short(at, now)}</time>
          </span>
          <span className="room-row-bottom">
            <RoomPreview view={view} active={active} />
            {view.pending > 0 && (
              <span className="pending" role="img" aria-label={t.pendingCount(view.pending)} title={t.pendingCount(view.pending)}>
                <Icon name="clock" size={15} />
              </span>
            )}
            {view.mentioned && <span className="badge at" role="img" aria-label={t.mentionsYou} title={t.mentionsYou}>@</span>}
            {view.unread > 0 && (
              <span className="badge" role="img" aria-label={t.unreadCount(view.unread)}>{view.unread > BADGE_MAX ? `${BADGE_MAX}+` : view.unread}</span>
            )}
          </span>
        </span>
      </a>
    </li>
  )
})
