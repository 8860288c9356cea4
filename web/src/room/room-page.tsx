// One conversation: header, timeline, composer, and the details beside it.
import { useCallback, useEffect, useMemo, useState } from 'react'
import type { RoomHandle, RoomView, TimelineItem } from '@starling/client'
import { useText } from '../i18n/text'
import { useMe, useRoom } from '../hooks/use-client'
import { readDraft } from '../hooks/use-draft'
import { problemText, useAction } from '../hooks/use-problem'
import { useStore } from '../hooks/use-store'
import { useTimelineScroll } from '../hooks/use-timeline-scroll'
import { copyText } from '../ui/clipboard'
import { Confirm } from '../ui/confirm'
import { useToast } from '../ui/toast'
import { Composer } from '../timeline/composer'
import { MessageContext, RoomContext, useMessageScopeOf, type RoomActions } from '../timeline/room-context'
import { Timeline } from '../timeline/timeline'
import { InvitationPane } from '../rooms/invitation'
import { AbsentRoom } from './absent'
import { Details } from './details'
import { RoomHeader } from './header'
import { roomTitle } from '../rooms/title'

export function RoomPage({ id }: { id: string }) {
  const room = useRoom(id)
  const view = useStore(room.view)
  const me = useMe()
  if (!me) return <Waiting />
  if (!view?.me) return <AbsentRoom room={room} view={view} />
  if (view.me?.state === 'invited') return <InvitationPane room={room} view={view} />
  return <OpenRoom room={room} view={view} me={me.id} />
}

/** Who is signed in is not known yet. */
function Waiting() {
  const { t } = useText()
  return (
    <main className="pane-empty">
      <span className="spinner" role="status" aria-label={t.loading} />
    </main>
  )
}

interface OpenRoomProps {
  room: RoomHandle
  view: RoomView
  me: string
}

function OpenRoom({ room, view, me }: OpenRoomProps) {
  const { t, language } = useText()
  const toast = useToast()
  const timeline = useTimeline(room)
  const state = useStore(timeline)
  const scroll = useTimelineScroll(timeline, state)
  const typing = useStore(room.typingUsers)
  const [details, setDetails] = useState(false)
  const [replyTo, setReplyTo] = useState(() => readDraft(me, room.id).replyTo)
  const [editing, setEditing] = useState<string>()
  const [deleting, setDeleting] = useState<TimelineItem>()
  const { toSeq } = scroll

  const actions = useMemo<RoomActions>(
    () => ({
      reply: (item) => setReplyTo(item.seq),
      edit: (item) => setEditing(item.key),
      endEdit: () => {
        setEditing(undefined)
        document.querySelector<HTMLElement>('.composer textarea')?.focus({ preventScroll: true })
      },
      askDelete: setDeleting,
      copy: (item) => {
        copyText(item.content?.text ?? '').then(() => toast(t.copied), () => toast(t.errorUnknown))
      },
      jump: (seq) => void toSeq(seq),
      fail: (problem) => toast(problemText(problem, t, language)),
    }),
    [toSeq, toast, t, language],
  )
  const scope = useMemo(() => ({ room, view, me, actions }), [room, view, me, actions])
  const messageScope = useMessageScopeOf(scope)
  const editLast = useCallback(() => {
    const last = timeline.get().items.findLast((item) => item.mine && item.seq !== undefined && item.kind === 'message' && !item.deleted)
    if (last) setEditing(last.key)
  }, [timeline])

  return (
    <RoomContext value={scope}>
      <main className="room" aria-label={roomTitle(view, t)}>
        <RoomHeader view={view} typing={typing} detailsOpen={details} onDetails={() => setDetails((open) => !open)} />
        <MessageContext value={messageScope}>
          <Timeline timeline={timeline} state={state} scroll={scroll} editing={editing} />
        </MessageContext>
        <div className="room-foot">
          {messageScope.able.send ? (
            <Composer
              replyTo={replyTo}
              quoted={replyTo === undefined ? undefined : state.items.find((item) => item.seq === replyTo)}
              onReply={setReplyTo}
              onSent={scroll.toLatest}
              onEditLast={editLast}
            />
          ) : (
            <MayNotWrite room={room} view={view} />
          )}
        </div>
      </main>
      {details && <Details onClose={() => setDetails(false)} />}
      {deleting && (
        <Confirm
          title={t.deleteTitle}
          hint={t.deleteHint}
          action={t.delete}
          onConfirm={async () => deleting.seq !== undefined && room.delete(deleting.seq)}
          onClose={() => setDeleting(undefined)}
        />
      )}
    </RoomContext>
  )
}

/** A timeline that lives as long as the room is shown. */
function useTimeline(room: RoomHandle) {
  const timeline = useMemo(() => room.timeline({ at: 'first-unread' }), [room])
  useEffect(() => () => timeline.close(), [timeline])
  return timeline
}

function MayNotWrite({ room, view }: { room: RoomHandle; view: RoomView }) {
  const { t } = useText()
  const { busy, problem, run } = useAction()
  const open = view.kind === 'group' && view.settings.join_rule === 'open' && view.me?.state !== 'joined'
  const text = view.me?.state === 'joined' ? t.mayNotWrite : open ? t.notJoined : t.leftRoom
  return (
    <div className="may-not-write">
      <p>{problem ?? text}</p>
      {open && (
        <button type="button" className="button primary" disabled={busy} onClick={() => void run(() => room.join())}>{t.join}</button>
      )}
    </div>
  )
}
