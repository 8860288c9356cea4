// The avatar of a room: the other person's in a direct room, with whether they are there; a square one for groups.
import type { RoomView } from '@starling/client'
import { useText } from '../i18n/text'
import { usePresence } from '../hooks/use-presence'
import { Avatar } from '../ui/avatar'
import { roomTitle } from './title'

export function RoomFace({ view, size }: { view: RoomView; size?: number }) {
  const { t } = useText()
  const peer = view.kind === 'direct' ? view.peer?.user : undefined
  const presence = usePresence(peer ? [peer.id] : [])
  if (peer) return <Avatar id={peer.id} name={peer.display_name} size={size} online={presence[peer.id]?.online ?? false} />
  // A list of names stands for its first two people.
  const name = view.names?.slice(0, 2).join(' ') ?? roomTitle(view, t)
  return <Avatar id={view.id} name={name} size={size} square />
}
