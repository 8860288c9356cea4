// What every line of a conversation needs: the room, who reads, and what can be done to a message.
import { createContext, useContext } from 'react'
import type { RoomHandle, RoomView, TimelineItem } from '@starling/client'

export interface RoomActions {
  reply: (item: TimelineItem) => void
  edit: (item: TimelineItem) => void
  endEdit: () => void
  askDelete: (item: TimelineItem) => void
  jump: (seq: number) => void
  fail: (problem: unknown) => void
}

export interface RoomScope {
  room: RoomHandle
  view: RoomView
  /** The own user id. */
  me: string
  actions: RoomActions
}

export const RoomContext = createContext<RoomScope | null>(null)

export function useRoomScope(): RoomScope {
  const scope = useContext(RoomContext)
  if (!scope) throw new Error('a message stands only in a room')
  return scope
}

/** What the own level allows. */
export function abilities(view: RoomView): {
  joined: boolean
  send: boolean
  react: boolean
  invite: boolean
  remove: boolean
  redact: boolean
  settings: boolean
  levels: boolean
  level: number
} {
  const joined = view.me?.state === 'joined'
  const level = joined ? (view.me?.level ?? 0) : -1
  const group = view.kind === 'group'
  const needed = view.settings.levels ?? { send: 10, react: 10, invite: 10, remove: 50, redact: 50, settings: 50, levels: 90 }
  return {
    joined,
    level,
    send: level >= needed.send,
    react: level >= needed.react,
    invite: group && level >= needed.invite,
    remove: group && level >= needed.remove,
    redact: level >= needed.redact,
    settings: group && level >= needed.settings,
    levels: group && level >= needed.levels,
  }
}
