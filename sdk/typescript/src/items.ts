// What a timeline draws: one item per message or notice, own messages with their status.

import { forward } from './cursors.js'
import type { Outgoing } from './outgoing.js'
import type { MessageStatus, TimelineItem } from './types.js'
import type { Cursors, Event, Room } from './wire.js'

/** How far all others have got, as far as it is shared. */
export interface Reached {
  delivered: number
  read: number
}

export function reachedBy(room: Room | undefined, others: Record<string, Cursors>): Reached {
  if (!room?.receipts) return { delivered: 0, read: 0 }
  const { peer } = room
  const all = peer ? [forward(others[peer.user.id], peer.cursors)] : Object.values(others)
  if (all.length === 0) return { delivered: 0, read: 0 }
  return {
    delivered: Math.min(...all.map(({ delivered, read }) => Math.max(delivered, read))),
    read: Math.min(...all.map(({ read }) => read)),
  }
}

export function eventStatus(event: Event, mine: boolean, reached: Reached): MessageStatus | undefined {
  if (!mine || event.type !== 'message.created') return undefined
  if (event.seq <= reached.read) return 'read'
  return event.seq <= reached.delivered ? 'delivered' : 'sent'
}

export function eventItem(key: string, event: Event, mine: boolean, status: MessageStatus | undefined): TimelineItem {
  const item: TimelineItem = {
    key,
    seq: event.seq,
    at: event.at,
    sender: event.sender,
    mine,
    kind: 'notice',
    event,
    edited: false,
    deleted: false,
    reactions: [],
  }
  if (event.type !== 'message.created') return item
  item.kind = 'message'
  item.edited = event.edited !== undefined
  item.deleted = event.deleted !== undefined
  item.reactions = event.reactions ?? []
  if (event.content) item.content = event.content
  if (event.reply_to !== undefined) item.replyTo = event.reply_to
  if (status) item.status = status
  return item
}

/** The local echo of a message that the server has not told of yet. */
export function echoItem(message: Outgoing, sender: string): TimelineItem {
  const { entry } = message
  const { status, error } = message.get()
  const item: TimelineItem = {
    key: entry.clientId,
    at: entry.at,
    sender,
    mine: true,
    kind: 'message',
    content: entry.content,
    edited: false,
    deleted: false,
    reactions: [],
    status,
    outgoing: message,
  }
  if (entry.replyTo !== undefined) item.replyTo = entry.replyTo
  if (error) item.error = error
  return item
}
