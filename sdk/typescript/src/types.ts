// The public interface of the SDK: what an application sees. Wire objects (Room, Event, …) are passed on as the server
// sends them, in snake_case; everything the SDK adds is in camelCase. Times are Unix milliseconds.

import type { ChatError } from './errors.js'
import type { ClientStorage } from './storage.js'
import type {
  Content, Cursors, Device, Event, JoinRule, Me, Member, Presence, Reaction, Receipt, Room, RoomSettings, ServerInfo,
  Session, TextFormat, User,
} from './wire.js'

/** A value that changes. Snapshots are immutable and keep their identity until something changes. */
export interface Store<T> {
  get(): T
  /** Calls the listener at once and after each change, until the returned function is called. */
  subscribe(listener: (value: T) => void): () => void
}

/** Gives an access token. `expired`: the last one was refused or is about to end, a new one is needed. */
export type GetToken = (options: { signal?: AbortSignal; expired?: boolean }) => Promise<string>

export interface RegisterOptions {
  id: string
  password: string
  displayName?: string
  deviceName?: string
  setupToken?: string
  app?: string
}

export interface LoginOptions {
  id: string
  password: string
  deviceName?: string
  app?: string
}

/** Signing in, without a client. Each call may throw a ChatError. */
export interface Auth {
  server(): Promise<ServerInfo>
  register(options: RegisterOptions): Promise<Session>
  login(options: LoginOptions): Promise<Session>
  refresh(refreshToken: string): Promise<Session>
  /** Revokes the device the token belongs to. */
  logout(accessToken: string): Promise<void>
}

export interface ClientOptions {
  /** `https://host`, or '' for the page's own origin. */
  url: string
  /** Asked on connect, before a token ends, and once when the server refuses one. */
  getToken: GetToken
  /** Id of the user whose tokens these are: each user of a browser gets a database of their own. */
  user?: string
  /** Where rooms and the outbox are kept. Default: IndexedDB where there is one, else memory. */
  storage?: 'indexeddb' | 'memory' | ClientStorage
  /** Language of error titles. */
  language?: 'en' | 'zh'
  /** For tests and old runtimes: the WebSocket to use. */
  WebSocket?: new (url: string) => WebSocket
}

/**
 * idle: `connect` not called yet. connecting: first attempt. reconnecting: waiting for or making another one.
 * offline: the device says that it has no network. closed: `close`, `logout`, or the server refuses this device.
 */
export interface ConnectionStatus {
  state: 'idle' | 'connecting' | 'online' | 'reconnecting' | 'offline' | 'closed'
  /** When the next attempt is made. */
  retryAt?: number
  /** Why the last connection or attempt ended. */
  error?: ChatError
}

export interface Client {
  /** Resolves after the first sync; heals itself afterwards. Rejects only if signing in is refused, or on `close`. */
  connect(): Promise<void>
  /** Ends the connection; keeps cache and outbox. `discard`: writes nothing any more, as another tab has signed out. */
  close(options?: { discard?: boolean }): Promise<void>
  /** Revokes this device, then clears cache and outbox. */
  logout(): Promise<void>
  readonly connection: Store<ConnectionStatus>
  /** Tries to connect now instead of at `retryAt`. */
  reconnect(): void
  readonly me: Store<Me | null>
  readonly rooms: Rooms
  readonly users: Users
  /** Presence of users who share a room with you; watched while somebody subscribes. */
  presence(ids: string[]): Store<PresenceMap>
  readonly devices: { list(): Promise<Device[]>; revoke(id: string): Promise<void> }
  updateProfile(profile: { displayName?: string }): Promise<Me>
  changePassword(options: { currentPassword: string; newPassword: string; revokeOtherDevices?: boolean }): Promise<void>
  /** Listens to what happens, live; returns the function that stops it. */
  on<K extends keyof ClientEvents>(name: K, listener: (event: ClientEvents[K]) => void): () => void
}

export type PresenceMap = Record<string, { online: boolean; lastSeenAt?: number }>

/** Room events by their type, plus what is never stored. */
export type ClientEvents = {
  [K in Event['type']]: Extract<Event, { type: K }>
} & {
  typing: { room: string; user: string; typing: boolean }
  presence: Presence
  cursor: { room: string; user: string; cursors: Cursors; commit: number }
}

export interface Users {
  /** The profile, fetched when first asked for; `undefined` until it is there. */
  get(id: string): Store<User | undefined>
  search(query: string, options?: { limit?: number }): Promise<User[]>
}

export interface Rooms {
  /** Rooms that you are in or invited to, newest activity first. */
  readonly list: Store<RoomView[]>
  get(id: string): RoomHandle
  /** One member: the direct room with them. Several: a new group. */
  open(options: { members: string[] } | { room: string }): Promise<RoomHandle>
  create(options: CreateRoomOptions): Promise<RoomHandle>
}

export interface CreateRoomOptions {
  name?: string
  topic?: string
  joinRule?: JoinRule
  invite?: string[]
  id?: string
}

export interface RoomView extends Room {
  /** The name, the other person's display name, the names of other members, or the id. */
  title: string
  /** Groups without a name: display names of up to three other members, once they are known. */
  names?: string[]
  /** An unread message mentions you: the last one, or one that came while connected. */
  mentioned: boolean
  /** Messages in the outbox. */
  pending: number
}

export interface SendOptions {
  format?: TextFormat
  replyTo?: number
  mentions?: string[]
  data?: Record<string, unknown>
  /** Makes the send safe to repeat; by default the SDK makes one. */
  clientId?: string
}

export interface TimelineOptions {
  /** Where to start: the end (default), the first unread message, or a seq. */
  at?: 'latest' | 'first-unread' | number
  /** Events per page, 50 by default. */
  limit?: number
  /** Items kept in memory, 600 by default: beyond, the far end is dropped, and read again when it is paged to. */
  keep?: number
}

export interface RoomHandle {
  readonly id: string
  readonly view: Store<RoomView | undefined>
  /** Others who are typing. */
  readonly typingUsers: Store<User[]>
  /** How far each other member has got, by user id (rooms with `receipts`). */
  readonly receipts: Store<Record<string, Cursors>>
  timeline(options?: TimelineOptions): Timeline
  /** Never throws and never waits: the message goes to the outbox and from there, in order, to the server. */
  send(text: string, options?: SendOptions): OutgoingMessage
  edit(seq: number, text: string, options?: { format?: TextFormat }): Promise<Receipt>
  delete(seq: number, reason?: string): Promise<Receipt>
  /** Adds the own reaction, or takes it back. */
  react(seq: number, key: string): Promise<Receipt>
  /** Sets the whole set of own reactions. */
  setReactions(seq: number, keys: string[]): Promise<Receipt>
  /** Marks read up to a seq, by default the room's head. Coalesced; may be called on every scroll. */
  markRead(seq?: number): void
  readonly typing: { keystroke(): void; stop(): void }
  members(options?: { cursor?: string; limit?: number }): Promise<{ members: Member[]; next?: string }>
  invite(user: string): Promise<Receipt>
  remove(user: string): Promise<Receipt>
  setLevel(user: string, level: number): Promise<Receipt>
  join(): Promise<Receipt>
  leave(): Promise<Receipt>
  update(settings: RoomSettings): Promise<Receipt>
}

export type MessageStatus = 'queued' | 'sending' | 'sent' | 'failed' | 'delivered' | 'read'

/** One line of a timeline. */
export interface TimelineItem {
  /** Stable from the local echo to the confirmed message. */
  key: string
  /** Absent until the server has accepted it. */
  seq?: number
  at: number
  sender: string
  mine: boolean
  /** notice: creation, membership, settings. */
  kind: 'message' | 'notice'
  /** As the server has it; absent for a local echo. */
  event?: Event
  content?: Content
  replyTo?: number
  edited: boolean
  deleted: boolean
  reactions: Reaction[]
  /** Own messages only. */
  status?: MessageStatus
  error?: ChatError
  /** The message in the outbox, to retry or cancel. */
  outgoing?: OutgoingMessage
}

export interface TimelineState {
  items: TimelineItem[]
  hasOlder: boolean
  hasNewer: boolean
  loading: boolean
  /** Up to which seq everything is in `items`, 0 before the first page: what may be marked read at the end. */
  high: number
  /** Seq of the first unread message when the timeline was opened. */
  unreadAt?: number
  error?: ChatError
}

export interface Timeline extends Store<TimelineState> {
  loadOlder(): Promise<void>
  loadNewer(): Promise<void>
  jumpTo(seq: number | 'latest'): Promise<void>
  close(): void
}

export interface OutgoingState {
  status: 'queued' | 'sending' | 'sent' | 'failed'
  error?: ChatError
  receipt?: Receipt
}

/** A message on its way. `sent` only after the server has it durably. */
export interface OutgoingMessage extends Store<OutgoingState> {
  readonly clientId: string
  /** Rejects if the server refuses the message or it is cancelled; not when the connection is lost. */
  readonly sent: Promise<{ seq: number; commit: number }>
  /** Sends a failed message again. */
  retry(): void
  /** Takes it out of the outbox. One that the server may already have stays if the server has it. */
  cancel(): void
}

export interface SessionTokensOptions {
  url: string
  /** Key in the storage. */
  key?: string
  /** Default: localStorage. */
  storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>
}

/** A token source that keeps a session, refreshes it early, and once for all tabs. */
export interface SessionTokens {
  readonly getToken: GetToken
  current(): Session | null
  save(session: Session): void
  /** With a device: only if the session is still that device's, and no other tab has signed in meanwhile. */
  clear(device?: string): void
}
