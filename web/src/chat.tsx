// The signed-in page: the list, the conversation, and the dialogs over them.
import { useEffect, useState } from 'react'
import { useText } from './i18n/text'
import { useClient } from './hooks/use-client'
import { usePhone } from './hooks/use-media'
import { useRoute } from './hooks/use-route'
import { useStore } from './hooks/use-store'
import { useTitle } from './hooks/use-title'
import { Settings } from './account/settings'
import { ConnectionBanner } from './connection'
import { NewGroup } from './rooms/new-group'
import { QuickSwitcher } from './rooms/quick-switcher'
import { Sidebar } from './rooms/sidebar'
import { RoomPage } from './room/room-page'
import { Starling } from './ui/starling'

type Open = 'settings' | 'new-group' | 'switcher'

const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent)

export function Chat({ onSignOut }: { onSignOut: () => Promise<void> }) {
  const client = useClient()
  const route = useRoute()
  const rooms = useStore(client.rooms.list)
  const [open, setOpen] = useState<Open>()
  const active = route.page === 'room' ? route.room : undefined
  const phone = usePhone()
  const close = () => setOpen(undefined)
  useTitle(rooms, active)
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || event.shiftKey || event.altKey || !(isMac ? event.metaKey : event.ctrlKey)) return
      event.preventDefault()
      setOpen((before) => (before === 'switcher' ? undefined : 'switcher'))
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [])
  return (
    <div className="frame" data-pane={active === undefined ? 'list' : 'room'}>
      <ConnectionBanner />
      <div className="panes">
        {/* With one pane at a time, the list is the page's main part. */}
        <div className="list-pane" role={phone && active === undefined ? 'main' : undefined}>
          <Sidebar active={active} onNewGroup={() => setOpen('new-group')} onSettings={() => setOpen('settings')} />
        </div>
        <div className="pane">{active === undefined ? !phone && <EmptyPane /> : <RoomPage key={active} id={active} />}</div>
      </div>
      {open === 'settings' && <Settings onClose={close} onSignOut={onSignOut} />}
      {open === 'new-group' && <NewGroup onClose={close} />}
      {open === 'switcher' && <QuickSwitcher onClose={close} />}
    </div>
  )
}

function EmptyPane() {
  const { t } = useText()
  const [before, after] = t.chooseRoomHint.split('{key}')
  return (
    <main className="pane-empty">
      <Starling size={96} />
      <h2>{t.chooseRoom}</h2>
      <p className="muted">{before}<kbd>{isMac ? '⌘' : 'Ctrl'}</kbd><kbd>K</kbd>{after}</p>
    </main>
  )
}
