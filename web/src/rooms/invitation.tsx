// An invitation: in the list, and as the pane of a room one is invited to.
import type { RoomHandle, RoomView } from '@starling/client'
import { useText } from '../i18n/text'
import { useRoom, useUser } from '../hooks/use-client'
import { useAction } from '../hooks/use-problem'
import { go } from '../hooks/use-route'
import { Icon } from '../ui/icon'
import { RoomFace } from './room-face'
import { roomTitle } from './title'

function useAnswer(room: RoomHandle) {
  const action = useAction()
  return {
    ...action,
    accept: () => action.run(() => room.join()),
    decline: async () => {
      if (await action.run(() => room.leave())) go({ page: 'home' }, { replace: true })
    },
  }
}

function useInvitationText(view: RoomView): string {
  const { t } = useText()
  const inviter = useUser(view.me?.invited_by ?? '')
  return view.me?.invited_by ? t.invitedBy(inviter.display_name) : t.invitedYou
}

export function InvitationRow({ view, active }: { view: RoomView; active: boolean }) {
  const { t } = useText()
  const room = useRoom(view.id)
  const { busy, problem, accept, decline } = useAnswer(room)
  const text = useInvitationText(view)
  return (
    <li className={active ? 'invitation active' : 'invitation'} aria-label={roomTitle(view, t)}>
      <a className="invitation-link" href={`#/room/${encodeURIComponent(view.id)}`}>
        <RoomFace view={view} size={40} />
        <span className="invitation-text">
          <strong>{roomTitle(view, t)}</strong>
          <span className="muted">{problem ?? text}</span>
        </span>
      </a>
      <span className="invitation-answers">
        <button type="button" className="button small primary" disabled={busy} onClick={async () => (await accept()) && go({ page: 'room', room: view.id })}>{t.accept}</button>
        <button type="button" className="button small" disabled={busy} onClick={() => void decline()}>{t.decline}</button>
      </span>
    </li>
  )
}

export function InvitationPane({ room, view }: { room: RoomHandle; view: RoomView }) {
  const { t } = useText()
  const { busy, problem, accept, decline } = useAnswer(room)
  const text = useInvitationText(view)
  return (
    <main className="pane-empty card-pane">
      <button type="button" className="icon-button back" aria-label={t.back} onClick={() => go({ page: 'home' })}>
        <Icon name="back" />
      </button>
      <RoomFace view={view} size={88} />
      <h1>{roomTitle(view, t)}</h1>
      <p className="muted">{text}</p>
      {view.settings.topic && <p>{view.settings.topic}</p>}
      {problem && <p className="problem" role="alert">{problem}</p>}
      <div className="button-row">
        <button type="button" className="button" disabled={busy} onClick={() => void decline()}>{t.decline}</button>
        <button type="button" className="button primary" disabled={busy} onClick={() => void accept()}>{t.accept}</button>
      </div>
    </main>
  )
}
