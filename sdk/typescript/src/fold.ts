// Folding later events into earlier ones: what an edit, a deletion or a reaction makes of its target. Pure.

import type { Event, Reaction, RoomSettings } from './wire.js'

export type MessageEvent = Extract<Event, { type: 'message.created' }>
/** Events that change a message and are not shown themselves. */
export type Change = Extract<Event, { target: number }>

export const isChange = (event: Event): event is Change => 'target' in event
export const isMessage = (event: Event): event is MessageEvent => event.type === 'message.created'

/** The message as it is after the change; the caller makes sure that the change isn't in it already. */
export function fold(message: MessageEvent, change: Change, me: string | undefined): MessageEvent {
  switch (change.type) {
    case 'message.edited':
      // No content: the message has been deleted since, and that event follows.
      if (!change.content || message.deleted) return message
      return { ...message, content: change.content, edited: { seq: change.seq, at: change.at } }
    case 'message.deleted': {
      const { content: _content, reactions: _reactions, edited: _edited, ...rest } = message
      return { ...rest, deleted: { seq: change.seq } }
    }
    case 'reaction.updated': {
      const { reactions = [], ...rest } = message
      const next = foldReactions(reactions, change, change.sender === me)
      return next.length > 0 ? { ...rest, reactions: next } : rest
    }
  }
}

function foldReactions(reactions: Reaction[], change: Extract<Change, { type: 'reaction.updated' }>, mine: boolean): Reaction[] {
  const counts = new Map(reactions.map(reaction => [reaction.key, { ...reaction }]))
  const add = (key: string, by: 1 | -1) => {
    const reaction = counts.get(key) ?? { key, count: 0, mine: false }
    reaction.count += by
    if (mine) reaction.mine = by === 1
    counts.set(key, reaction)
  }
  for (const key of change.added) add(key, 1)
  for (const key of change.removed) add(key, -1)
  return [...counts.values()].filter(({ count }) => count > 0).sort((a, b) => b.count - a.count)
}

/** Settings after a change: absent fields stay, an empty name or topic removes it. */
export function foldSettings(settings: RoomSettings, change: RoomSettings): RoomSettings {
  const next = { ...settings, ...change }
  if (next.name === '') delete next.name
  if (next.topic === '') delete next.topic
  return next
}
