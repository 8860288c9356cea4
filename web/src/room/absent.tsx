// The address of a room that one isn't in: an open group can be joined, of anything else one learns nothing.
import { useEffect, useState } from 'react'
import { ChatError, type RoomHandle, type RoomView } from '@starling/client'
import { useText } from '../i18n/text'
import { useClient } from '../hooks/use-client'
import { problemText, useAction } from '../hooks/use-problem'
import { go } from '../hooks/use-route'
import { RoomFace } from '../rooms/room-face'
import { roomTitle } from '../rooms/title'
import { Icon } from '../ui/icon'
import { Starling } from '../ui/starling'

interface AbsentProps {
  room: RoomHandle
  /** As far as it was seen before. */
  view?: RoomView
}

export function AbsentRoom({ room, view }: AbsentProps) {
  const { t, language } = useText()
  const { asking, error, ask } = useLookUp(room.id)
  const gone = error instanceof ChatError && (error.status === 404 || error.status === 403)
  return (
    <main className="pane-empty card-pane">
      <button type="button" className="icon-button back" aria-label={t.back} onClick={() => go({ page: 'home' })}>
        <Icon name="back" />
      </button>
      {gone ? (
        <>
          <Starling size={96} />
          <h1>{t.roomGone}</h1>
          <p className="muted">{t.roomGoneHint}</p>
        </>
      ) : view ? (
        <JoinCard room={room} view={view} />
      ) : error !== undefined ? (
        <>
          <p className="problem" role="alert">{problemText(error, t, language)}</p>
          <button type="button" className="button" disabled={asking} onClick={ask}>{t.tryAgain}</button>
        </>
      ) : (
        <span className="spinner" role="status" aria-label={t.loading} />
      )}
    </main>
  )
}

function JoinCard({ room, view }: Required<AbsentProps>) {
  const { t } = useText()
  const { busy, problem, run } = useAction()
  return (
    <>
      <RoomFace view={view} size={88} />
      <h1>{roomTitle(view, t)}</h1>
      <p className="muted">{t.openGroup} · {t.memberCount(view.members)}</p>
      {view.settings.topic && <p className="card-topic">{view.settings.topic}</p>}
      {problem && <p className="problem" role="alert">{problem}</p>}
      <div className="button-row">
        <button type="button" className="button primary" disabled={busy} onClick={() => void run(() => room.join())}>{t.join}</button>
      </div>
    </>
  )
}

/** Asks the server for a room that is not in the list; its answer shows in the room's view. */
function useLookUp(id: string) {
  const client = useClient()
  const [attempt, setAttempt] = useState(0)
  const [state, setState] = useState<{ asking: boolean; error?: unknown }>({ asking: true })
  useEffect(() => {
    let current = true
    setState((before) => ({ ...before, asking: true }))
    client.rooms.open({ room: id }).then(
      () => current && setState({ asking: false }),
      (error: unknown) => current && setState({ asking: false, error }),
    )
    return () => {
      current = false
    }
  }, [client, id, attempt])
  return { ...state, ask: () => setAttempt((before) => before + 1) }
}
