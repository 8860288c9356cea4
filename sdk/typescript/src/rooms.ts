// The rooms as they are now: from the cache, then from sync, then kept up by pushes.

import type { Cached } from './cache.js'
import type { Core } from './core.js'
import { forward } from './cursors.js'
import { GroupFaces } from './faces.js'
import { fold, foldSettings, isChange, isMessage } from './fold.js'
import { newId } from './ids.js'
import type { Outbox } from './outbox.js'
import { RoomCore } from './room.js'
import { Computed } from './store.js'
import type { CreateRoomOptions, RoomHandle, Rooms, RoomView } from './types.js'
import type { Cursors, Event, Push, Room, SyncAnswer, User } from './wire.js'

const REFRESH_AFTER_MS = 500

type CursorPush = Extract<Push, { push: 'cursor' }>

export class RoomList implements Rooms {
  readonly list: Computed<RoomView[]>
  readonly #core: Core
  readonly #outbox: Outbox
  readonly #rooms = new Map<string, Room>()
  readonly #views = new Map<string, RoomView>()
  readonly #handles = new Map<string, RoomCore>()
  readonly #faces: GroupFaces
  readonly #language: string
  /** The last message that mentions the user, by room: of those that were told, or are the last. */
  readonly #mentions = new Map<string, number>()
  readonly #refreshing = new Map<string, ReturnType<typeof setTimeout>>()
  /** Pushes that came while a sync was on its way: its answer may be older than they are. */
  #overtaking: (Event | CursorPush)[] | undefined
  commit = 0
  /** The history that the commit and all seqs are of; a server restored from a backup begins another. */
  epoch: string | undefined

  constructor(core: Core, outbox: Outbox, language = 'en') {
    this.#language = language
    this.#core = core
    this.#outbox = outbox
    this.#faces = new GroupFaces({
      connection: core.connection,
      cache: core.cache,
      me: () => core.self()?.user,
      met: users => core.users.put(users),
      changed: room => this.viewChanged(room),
    })
    this.list = new Computed(() =>
      [...this.#rooms.values()]
        .filter(room => room.me?.state === 'joined' || room.me?.state === 'invited')
        .sort((a, b) => activity(b) - activity(a) || (a.id < b.id ? -1 : 1))
        .map(room => this.view(room.id) as RoomView),
    )
  }

  get(id: string): RoomHandle {
    return this.handle(id)
  }

  handle(id: string): RoomCore {
    let handle = this.#handles.get(id)
    if (!handle) {
      handle = new RoomCore(id, this.#core, this.#outbox, {
        room: () => this.#rooms.get(id),
        view: () => this.view(id),
        refresh: () => this.#ask(id),
        cursorsMoved: cursors => this.#ownCursors(id, cursors),
      })
      this.#handles.set(id, handle)
    }
    return handle
  }

  /** Handles that exist: only these have timelines. */
  has(id: string): boolean {
    return this.#rooms.has(id)
  }

  handles(): Iterable<RoomCore> {
    return this.#handles.values()
  }

  async open(options: { members: string[] } | { room: string }): Promise<RoomHandle> {
    if ('room' in options) {
      await this.#ask(options.room)
      return this.handle(options.room)
    }
    const [user] = options.members
    if (options.members.length !== 1 || user === undefined) return this.create({ invite: options.members })
    const room = await this.#core.connection.call('room.direct', { user })
    this.#answered(room)
    return this.handle(room.id)
  }

  async create(options: CreateRoomOptions): Promise<RoomHandle> {
    const { name, topic, joinRule, invite, id } = options
    const room = await this.#core.connection.call('room.create', {
      client_id: newId(),
      id,
      settings: { name, topic, join_rule: joinRule },
      invite: invite ?? [],
    })
    this.#answered(room)
    return this.handle(room.id)
  }

  view(id: string): RoomView | undefined {
    const room = this.#rooms.get(id)
    if (!room) return undefined
    let view = this.#views.get(id)
    if (!view) {
      const peer = room.peer && this.#core.users.known(room.peer.user.id)
      const names = this.#faces.of(room)?.map(user => this.#core.users.known(user).display_name)
      const title = room.settings.name || peer?.display_name || (names?.length ? this.#listed(names) : room.id)
      const pending = this.#outbox.messages(id).length
      const mentioned = room.unread > 0 && (this.#mentions.get(id) ?? 0) > room.cursors.read
      view = { ...room, ...(room.peer && peer ? { peer: { ...room.peer, user: peer } } : {}), title, pending, mentioned }
      if (names?.length) view.names = names
      this.#views.set(id, view)
    }
    return view
  }

  /** From the cache, at start. */
  restore({ commit, epoch, rooms, faces }: Cached): void {
    this.commit = commit
    this.epoch = epoch
    this.#faces.restore(faces)
    for (const room of rooms) {
      this.#rooms.set(room.id, room)
      this.#mention(room.last_message)
    }
    this.list.invalidate()
    for (const handle of this.#handles.values()) handle.view.invalidate()
  }

  /** Read at the last visit, and not told to the server then. */
  restoreReads(reads: [room: string, seq: number][]): void {
    for (const [room, seq] of reads) this.handle(room).cursors.restore(seq)
  }

  syncing(): void {
    this.#overtaking = []
  }

  apply(answer: SyncAnswer): void {
    this.#core.users.put(answer.users)
    this.commit = answer.commit
    this.#core.cache.save('commit', answer.commit)
    if (answer.epoch !== this.epoch) this.#core.cache.save('epoch', (this.epoch = answer.epoch))
    for (const room of answer.rooms) this.#put(room)
    const overtaking = this.#overtaking ?? []
    this.#overtaking = undefined
    for (const push of overtaking) {
      if ('push' in push) this.cursor(push)
      else this.event(push)
    }
  }

  /** What an event makes of the room, by the list's light; timelines see to themselves. */
  event(event: Event): void {
    this.#overtaking?.push(event)
    const room = this.#rooms.get(event.room)
    if (!room) return this.refresh(event.room)
    if (event.seq <= room.head) return
    const me = this.#core.self()?.user
    // Something in between was not told, or is not ours to see: the server knows how the room is now.
    if (event.seq > room.head + 1) this.refresh(room.id)
    const next: Room = { ...room, head: event.seq, commit: Math.max(room.commit, event.commit) }
    if (isMessage(event)) {
      next.messages = event.number
      this.#mention(event)
      next.last_message = event
      if (event.sender === me) {
        // The server counts one's own message as read, with all before it.
        next.cursors = forward(room.cursors, { delivered: event.seq, read: event.seq, read_messages: event.number })
      }
    } else if (isChange(event)) {
      const last = room.last_message
      if (last && isMessage(last) && last.seq === event.target) next.last_message = fold(last, event, me)
    } else if (event.type === 'room.updated') {
      next.settings = foldSettings(room.settings, event.settings)
    } else if (event.type === 'member.updated') {
      if (event.user === me) {
        const invited = event.state === 'invited' ? { invited_by: event.sender } : {}
        next.me = { state: event.state, level: event.level, ...invited }
        // Joining opens history that could not be read before.
        if (event.state === 'joined' && room.me?.state !== 'joined') this.#handles.get(room.id)?.reload()
      }
      this.#faces.stale(room.id)
      this.refresh(room.id)
    }
    this.#replace(next)
  }

  cursor(push: CursorPush): void {
    this.#overtaking?.push(push)
    if (push.user === this.#core.self()?.user) return this.#ownCursors(push.room, push.cursors)
    this.#handles.get(push.room)?.cursors.heard(push.user, push.cursors)
    const room = this.#rooms.get(push.room)
    if (room?.peer?.user.id !== push.user) return
    this.#replace({ ...room, peer: { ...room.peer, cursors: forward(room.peer.cursors, push.cursors) } })
  }

  /** Asks how the room is now; soon, so that many reasons become one request. */
  refresh(id: string): void {
    if (this.#refreshing.has(id)) return
    const timer = setTimeout(async () => {
      this.#refreshing.delete(id)
      try {
        await this.#ask(id)
      } catch {
        // Not ours to see (any more): the list shows what was last known.
      }
    }, REFRESH_AFTER_MS)
    this.#refreshing.set(id, timer)
  }

  /** Profiles or the outbox changed, which views show. */
  profilesChanged(users: User[]): void {
    const ids = new Set(users.map(({ id }) => id))
    for (const room of this.#rooms.values()) {
      if (room.peer ? ids.has(room.peer.user.id) : this.#faces.has(room.id, ids) || ids.has(room.me?.invited_by ?? '')) this.viewChanged(room.id)
    }
    for (const handle of this.#handles.values()) handle.typing.users.invalidate()
  }

  viewChanged(id: string): void {
    this.#views.delete(id)
    this.list.invalidate()
    const handle = this.#handles.get(id)
    handle?.view.invalidate()
    // Items show how far the other person has got.
    handle?.changed()
  }

  /** Forgets all rooms, to be told of them anew; what is shown stays and is read anew. */
  restart(): void {
    this.commit = 0
    this.#core.cache.save('commit', 0)
    const ids = [...this.#rooms.keys()]
    this.#rooms.clear()
    this.#faces.clear()
    this.#mentions.clear()
    this.#core.cache.dropRooms([...ids, ...this.#handles.keys()])
    for (const id of ids) this.viewChanged(id)
    for (const handle of this.#handles.values()) handle.restart()
  }

  clear(): void {
    for (const timer of this.#refreshing.values()) clearTimeout(timer)
    this.#refreshing.clear()
    this.#overtaking = undefined
    this.#faces.clear()
    this.#mentions.clear()
    this.commit = 0
    const ids = [...this.#rooms.keys()]
    this.#rooms.clear()
    for (const id of ids) this.viewChanged(id)
    for (const handle of this.#handles.values()) handle.clear()
    this.list.invalidate()
  }

  async #ask(id: string): Promise<Room> {
    const room = await this.#core.connection.call('room.get', { room: id })
    this.#answered(room)
    return room
  }

  /** An answer of its own, not part of a sync: events that it doesn't know may have overtaken it. */
  #answered(room: Room): void {
    const known = this.#rooms.get(room.id)
    if (!known || known.head <= room.head) return this.#put(room)
    const { head, commit, last_message, settings } = known
    const messages = Math.max(known.messages, room.messages)
    this.#put({ ...room, head, commit, settings, messages, ...(last_message ? { last_message } : {}) })
  }

  /** A room as the server tells it. */
  #put(room: Room): void {
    if (room.peer) this.#core.users.put([room.peer.user])
    this.#mention(room.last_message)
    this.#replace({ ...room, cursors: forward(this.#rooms.get(room.id)?.cursors, room.cursors) })
  }

  #mention(message: Event | undefined): void {
    const me = this.#core.self()?.user
    if (!message || !isMessage(message) || message.sender === me || !message.content?.mentions?.some(user => user === me)) return
    this.#mentions.set(message.room, Math.max(this.#mentions.get(message.room) ?? 0, message.seq))
  }

  #listed(names: string[]): string {
    return new Intl.ListFormat(this.#language, { style: 'narrow', type: 'conjunction' }).format(names)
  }

  #ownCursors(id: string, cursors: Cursors): void {
    const room = this.#rooms.get(id)
    if (room) this.#replace({ ...room, cursors: forward(room.cursors, cursors) })
  }

  #replace(room: Room): void {
    const unread = room.me?.state === 'joined' ? Math.max(room.messages - room.cursors.read_messages, 0) : 0
    const next = { ...room, unread }
    this.#rooms.set(room.id, next)
    // An open group that was only looked at is not kept.
    this.#core.cache.save(`room:${room.id}`, next.me && next)
    this.viewChanged(room.id)
    if (unread > 0 && next.receipts) this.handle(room.id).cursors.arrived()
  }
}

const activity = (room: Room): number => room.last_message?.at ?? room.created_at
