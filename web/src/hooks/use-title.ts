// The tab's title: how much is unread, and where one is.
import { useEffect } from 'react'
import type { RoomView } from '@starling/client'

export function useTitle(rooms: RoomView[], active: string | undefined): void {
  const unread = rooms.reduce((sum, room) => sum + room.unread, 0)
  const name = rooms.find((room) => room.id === active)?.title
  useEffect(() => {
    const parts = [unread > 0 ? `(${unread > 99 ? '99+' : unread})` : '', name ? `${name} · Starling` : 'Starling']
    document.title = parts.filter(Boolean).join(' ')
  }, [unread, name])
}
