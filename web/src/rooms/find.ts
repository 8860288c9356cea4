// Which rooms a search means: every word begins a word of the title, the peer's id or the topic, or is inside the title.
import type { RoomView } from '@starling/client'

export function matchesRoom(view: RoomView, query: string): boolean {
  const title = view.title.toLocaleLowerCase()
  const others = `${view.peer?.user.id ?? ''} ${view.settings.topic ?? ''}`.toLocaleLowerCase()
  return query
    .toLocaleLowerCase()
    .split(/\s+/u)
    .filter(Boolean)
    .every((word) => title.includes(word) || others.split(/\s+/u).some((other) => other.startsWith(word)))
}
