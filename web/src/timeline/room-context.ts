// What every line of a conversation needs: the room, who reads, and what can be done to a message.
import { createContext, useContext, useMemo } from 'react'
import type { RoomHandle, RoomView, TimelineItem } from '@starling/client'

export interface RoomActions {
  reply: (item: TimelineItem) => void
  edit: (item: TimelineItem) => void
  endEdit: () => void
  askDelete: (item: TimelineItem) => void
  copy: (item: TimelineItem) => void
  jump: (seq: number) => void
  fail: (problem: unknown) => void
}

/** For what stands around the messages: changes with everything that happens in the room. */
export interface RoomScope {
  room: RoomHandle
  view: RoomView
  /** The own user id. */
  me: string
  actions: RoomActions
}

/** For the messages: changes seldom, so that a new message draws one line and not all of them anew. */
export interface MessageScope {
  room: RoomHandle
  me: string
  group: boolean
  able: Abilities
  actions: RoomActions
}

export const RoomContext = createContext<RoomScope | null>(null)
export const MessageContext = createContext<MessageScope | null>(null)

export function useRoomScope(): RoomScope {
  const scope = useContext(RoomContext)
  if (!scope) throw new Error('useRoomScope needs a room above it')
  return scope
}

export function useMessageScope(): MessageScope {
  const scope = useContext(MessageContext)
  if (!scope) throw new Error('useMessageScope needs a room above it')
  return scope
}

/** Keeps its identity until what it says changes. */
export function useMessageScopeOf({ room, view, me, actions }: RoomScope): MessageScope {
  const able = abilities(view)
  const key = JSON.stringify(able)
  const group = view.kind === 'group'
  return useMemo(() => ({ room, me, group, able: JSON.parse(key) as Abilities, actions }), [room, me, group, key, actions])
}

/** What the own level allows. */
export interface Abilities {
  joined: boolean
  send: boolean
  react: boolean
  invite: boolean
  remove: boolean
  redact: boolean
  settings: boolean
  levels: boolean
  level: number
}

export function abilities(view: RoomView): Abilities {
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
