// The tab's title: how much is unread, and where one is.
import { useEffect } from 'react'
import type { RoomView } from '@starling/client'
import { useText } from '../i18n/text'
import { roomTitle } from '../rooms/title'

export function useTitle(rooms: RoomView[], active: string | undefined): void {
  const unread = rooms.reduce((sum, room) => sum + room.unread, 0)
  const { t } = useText()
  const room = rooms.find(({ id }) => id === active)
  const name = room && roomTitle(room, t)
  useEffect(() => {
    const parts = [unread > 0 ? `(${unread > 99 ? '99+' : unread})` : '', name ? `${name} · Starling` : 'Starling']
    document.title = parts.filter(Boolean).join(' ')
  }, [unread, name])
}
