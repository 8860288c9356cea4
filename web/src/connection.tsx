// Tells when the server can't be reached, when the next attempt is, and that it is back.
import { useEffect, useRef, useState } from 'react'
import { useText } from './i18n/text'
import { useClient } from './hooks/use-client'
import { useNow } from './hooks/use-now'
import { useStore } from './hooks/use-store'

const BACK_SHOWN_MS = 2500
/** A break shorter than this is not worth a word. */
const PATIENCE_MS = 700
/** The first connection may take a little longer: what is stored here is shown meanwhile. */
const FIRST_PATIENCE_MS = 2500

export function ConnectionBanner() {
  const { t } = useText()
  const client = useClient()
  const { state, retryAt } = useStore(client.connection)
  const down = state === 'offline' || state === 'reconnecting' || state === 'connecting'
  const [shown, setShown] = useState<'down' | 'back'>()
  const wasDown = useRef(false)
  useEffect(() => {
    if (down) {
      const timer = setTimeout(() => {
        wasDown.current = true
        setShown('down')
      }, state === 'offline' ? 0 : state === 'connecting' ? FIRST_PATIENCE_MS : PATIENCE_MS)
      return () => clearTimeout(timer)
    }
    if (state !== 'online' || !wasDown.current) return undefined
    wasDown.current = false
    setShown('back')
    const timer = setTimeout(() => setShown(undefined), BACK_SHOWN_MS)
    return () => clearTimeout(timer)
  }, [down, state])
  const kind = shown === 'back' ? 'back' : down && shown ? state : undefined
  // It stays, and keeps the focus, while the attempt is made.
  const again = (
    <button type="button" className="button" aria-disabled={retryAt === undefined} onClick={() => client.reconnect()}>{t.tryNow}</button>
  )
  return (
    <div className="connection" role="status" aria-live="polite" data-state={state}>
      {kind === 'back' && <p className="banner back"><i aria-hidden="true" />{t.backOnline}</p>}
      {kind === 'offline' && <p className="banner"><i aria-hidden="true" />{t.offline}{again}</p>}
      {kind === 'connecting' && <p className="banner"><i aria-hidden="true" />{t.connecting}</p>}
      {kind === 'reconnecting' && <p className="banner"><i aria-hidden="true" />{retryAt ? <Countdown to={retryAt} /> : t.reconnecting}{again}</p>}
    </div>
  )
}

function Countdown({ to }: { to: number }) {
  const { t } = useText()
  const now = useNow(1000)
  const seconds = Math.ceil((to - now) / 1000)
  return (
    <>
      {/* Every second is for the eye only; the ear hears once that the connection is lost. */}
      <span aria-hidden="true">{seconds > 0 ? t.reconnectingIn(seconds) : t.reconnecting}</span>
      <span className="visually-hidden">{t.reconnecting}</span>
    </>
  )
}
