// The conversation itself: lines, the scroll both ways, the way back to the latest, and marking as read.
import { useEffect, useMemo, useRef, type KeyboardEvent } from 'react'
import type { Timeline as TimelineStore, TimelineState } from '@starling/client'
import { useText } from '../i18n/text'
import { useAttention } from '../hooks/use-attention'
import { useUser } from '../hooks/use-client'
import type { TimelineScroll } from '../hooks/use-timeline-scroll'
import { Icon } from '../ui/icon'
import { RoomFace } from '../rooms/room-face'
import { buildLines, type Line } from './lines'
import { Message } from './message'
import { contentLine } from './message-text'
import { Notice } from './notice'
import { useRoomScope } from './room-context'
import { roomTitle } from '../rooms/title'

interface TimelineProps {
  timeline: TimelineStore
  state: TimelineState
  scroll: TimelineScroll
  editing?: string
}

export function Timeline({ timeline, state, scroll, editing }: TimelineProps) {
  const { t } = useText()
  const { room, view } = useRoomScope()
  const attention = useAttention()
  const lines = useMemo(
    () => buildLines(state.items, { unreadAt: state.unreadAt, notices: view.kind === 'group' }),
    [state.items, state.unreadAt, view.kind],
  )
  const lastMessage = useMemo(() => lines.findLast((line) => line.type === 'message')?.key, [lines])

  const atEnd = scroll.atBottom && !state.hasNewer && !state.loading
  // What is shown, not what there is: the last events may still be on their way here.
  const shownTo = Math.min(state.high, view.head)
  const behind = view.me?.state === 'joined' && view.cursors.read < shownTo
  useEffect(() => {
    if (attention && atEnd && behind) room.markRead(shownTo)
  }, [attention, atEnd, behind, room, shownTo])

  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (!(event.target instanceof HTMLElement) || !event.target.matches('.message')) return
    if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return
    event.preventDefault()
    const all = [...event.currentTarget.querySelectorAll<HTMLElement>('.message')]
    all[all.indexOf(event.target) + (event.key === 'ArrowUp' ? -1 : 1)]?.focus()
  }

  const unseen = atEnd ? 0 : view.unread
  return (
    <div className="timeline">
      <div className="timeline-view" ref={scroll.view} data-testid="timeline-view">
        {state.hasOlder || (state.loading && state.items.length === 0) ? <p className="timeline-edge" aria-hidden="true"><span className="spinner" /></p> : !state.loading && <Beginning />}
        <div className="timeline-list" ref={scroll.list} role="log" aria-live="off" aria-label={t.messages} onKeyDown={onKeyDown}>
          {lines.map((line) => (
            <LineView key={line.key} line={line} editing={line.key === editing} focusable={line.key === lastMessage} />
          ))}
        </div>
        {state.hasNewer && <p className="timeline-edge" aria-hidden="true"><span className="spinner" /></p>}
        {state.error && (
          <p className="timeline-error" role="alert">
            {t.loadFailed}{' '}
            <button type="button" className="link" onClick={() => void (state.items.length > 0 ? timeline.loadOlder() : timeline.jumpTo('latest')).catch(() => undefined)}>
              {t.tryAgain}
            </button>
          </p>
        )}
      </div>
      {(!scroll.atBottom || state.hasNewer) && state.items.length > 0 && (
        <button
          type="button"
          className="jump-latest"
          aria-label={unseen > 0 ? t.jumpToLatestCount(unseen) : t.jumpToLatest}
          onClick={scroll.toLatest}
        >
          <Icon name="down" />
          {unseen > 0 && <span className="badge">{unseen > 99 ? '99+' : unseen}</span>}
        </button>
      )}
      <Announcer state={state} />
    </div>
  )
}

function LineView({ line, editing, focusable }: { line: Line; editing: boolean; focusable: boolean }) {
  const { t, time } = useText()
  switch (line.type) {
    case 'day':
      return (
        <div className="day" role="separator" data-key={line.key} aria-label={time.day(line.at)}>
          <span>{time.day(line.at)}</span>
        </div>
      )
    case 'unread':
      return (
        <div className="unread-divider" role="separator" data-key={line.key} aria-label={t.newMessages}>
          <span>{t.newMessages}</span>
        </div>
      )
    case 'notice':
      return (
        <div data-key={line.key} className="notice-line">
          <Notice item={line.item} />
        </div>
      )
    case 'message':
      return <Message item={line.item} quoted={line.quoted} first={line.first} last={line.last} editing={editing} focusable={focusable} />
  }
}

function Beginning() {
  const { t } = useText()
  const { view } = useRoomScope()
  return (
    <div className="beginning">
      <RoomFace view={view} size={72} />
      <h2>{roomTitle(view, t)}</h2>
      <p className="muted">{view.kind === 'direct' ? t.beginningDirect(roomTitle(view, t)) : t.beginningGroup(roomTitle(view, t))}</p>
    </div>
  )
}

/** Reads new messages of others out, but not those that were there at opening or are loaded while scrolling. */
function Announcer({ state }: { state: TimelineState }) {
  const { t } = useText()
  const seen = useRef<number>(undefined)
  const last = state.items.findLast((item) => item.seq !== undefined && item.kind === 'message')
  const seq = last?.seq ?? 0
  const before = seen.current
  useEffect(() => {
    if (!state.loading) seen.current = Math.max(seen.current ?? 0, seq)
  }, [seq, state.loading])
  const sender = useUser(last?.sender ?? '')
  const fresh = last && !last.mine && !state.hasNewer && before !== undefined && seq >= before
  return (
    <div className="visually-hidden" aria-live="polite" aria-atomic="true">
      {fresh ? t.newMessageFrom(sender.display_name, contentLine(last.content)) : ''}
    </div>
  )
}
