// A server in the test's own process: it speaks the wire over sockets that are objects, and does what the test scripts,
// such as losing an answer. It keeps its log raw and derives everything when asked, unlike the client, which folds.

import type {
  Cursors, Device, Event, EventBody, EventPage, Message, Operation, Problem, Push, Room, RoomSettings, SyncAnswer, User,
} from '../src/index.js'

interface FakeRoom {
  id: string
  kind: 'direct' | 'group'
  settings: RoomSettings
  members: Map<string, 'joined' | 'invited' | 'left'>
  cursors: Map<string, Cursors>
  log: Event[]
  commit: number
}

/** What becomes of one request: as usual, refused, done but the answer lost with the connection, or lost before. */
export type Fate = 'usual' | 'lose-answer' | 'lose-request' | 'ignore' | Partial<Problem>

const LATENCY_MS = 5
const RECEIPTS_MEMBERS_MAX = 50

export class FakeServer {
  readonly rooms = new Map<string, FakeRoom>()
  readonly users = new Map<string, User>()
  /** user:device by access token; tokens not in here are refused as expired. */
  readonly tokens = new Map<string, { user: string; device: string }>()
  readonly revoked = new Set<string>()
  readonly sockets = new Set<FakeSocket>()
  /** Every request that arrived, in order. */
  readonly requests: { user: string; op: string; params: any }[] = []
  /** Decides the fate of each request. */
  script: (op: string, params: any, user: string) => Fate = () => 'usual'
  /** Users to whom nothing is pushed. */
  readonly muted = new Set<string>()
  /** Happens after the events of a page are chosen and before their changes are read. */
  meanwhile: () => void = () => {}
  /** How much longer answers take, by operation, in ms. */
  slowness: Record<string, number> = {}
  down = false
  attempts = 0
  tokenLifetimeMs = 3_600_000
  syncRoomsMax = 1_000
  epoch = 'first'
  #commit = 0
  readonly #answers = new Map<string, unknown>()

  /** A WebSocket class whose sockets end here. */
  readonly WebSocket = (() => {
    const server = this
    return class extends FakeSocket {
      constructor(url: string) {
        super(server, url)
      }
    } as unknown as new (url: string) => WebSocket
  })()

  addUser(id: string): User {
    const user: User = { id, display_name: id[0]!.toUpperCase() + id.slice(1), kind: 'person' }
    this.users.set(id, user)
    this.tokens.set(`token-${id}`, { user: id, device: `device-${id}` })
    return user
  }

  addRoom(id: string, members: string[], kind: 'direct' | 'group' = 'group'): FakeRoom {
    for (const member of members) if (!this.users.has(member)) this.addUser(member)
    const zero = () => ({ delivered: 0, read: 0, read_messages: 0 })
    const room: FakeRoom = {
      id,
      kind,
      settings: kind === 'group' ? { name: id } : {},
      members: new Map(members.map(member => [member, 'joined'])),
      cursors: new Map(members.map(member => [member, zero()])),
      log: [],
      commit: 0,
    }
    this.rooms.set(id, room)
    this.append(id, members[0]!, { type: 'room.created', kind, settings: room.settings })
    return room
  }

  /** A message as somebody else's client would send it. */
  say(room: string, sender: string, text: string, extra: { client_id?: string } = {}): Event {
    const number = this.#messages(this.#room(room)) + 1
    return this.append(room, sender, { type: 'message.created', number, content: { type: 'text', text, format: 'plain' } }, extra)
  }

  append(id: string, sender: string, body: EventBody, extra: { client_id?: string | undefined } = {}): Event {
    const room = this.#room(id)
    const event = { room: id, seq: room.log.length + 1, commit: ++this.#commit, at: Date.now(), sender, ...extra, ...body } as Event
    if (event.client_id === undefined) delete event.client_id
    room.log.push(event)
    room.commit = this.#commit
    if (event.type === 'room.updated') Object.assign(room.settings, event.settings)
    this.pushTo(id, { push: 'event', event })
    if (event.type === 'message.created') this.#setCursors(room, sender, { delivered: event.seq, read: event.seq })
    return event
  }

  pushTo(room: string, push: Push): void {
    for (const socket of this.sockets) if (socket.user && this.#room(room).members.has(socket.user)) this.push(socket, push)
  }

  push(socket: FakeSocket, push: Push): void {
    if (!this.muted.has(socket.user ?? '')) socket.deliver(push)
  }

  /** Breaks all connections, or one user's. */
  breakConnections(user?: string, code = 1006): void {
    for (const socket of [...this.sockets]) if (!user || socket.user === user) socket.serverClose(code)
  }

  texts(room: string): string[] {
    return this.#room(room).log.flatMap(event => (event.type === 'message.created' ? [event.content?.text ?? ''] : []))
  }

  requestsOf(op: string, user?: string): any[] {
    return this.requests.filter(request => request.op === op && (!user || request.user === user)).map(({ params }) => params)
  }

  receive(socket: FakeSocket, frame: { id: number } & Operation): void {
    const { id, op } = frame
    const params = frame.params as any
    const user = socket.user ?? ''
    this.requests.push({ user, op, params })
    const fate = this.script(op, params, user)
    if (fate === 'ignore') return
    if (fate === 'lose-request') return socket.serverClose(1006)
    if (typeof fate === 'object') return socket.deliver({ id, error: problem(fate) })
    try {
      const result = this.#perform(socket, op, params)
      if (fate === 'lose-answer') socket.serverClose(1006)
      else setTimeout(() => socket.deliver({ id, result }), this.slowness[op] ?? 0)
    } catch (error) {
      socket.deliver({ id, error: problem(error as Partial<Problem>) })
    }
  }

  #perform(socket: FakeSocket, op: string, params: any): unknown {
    if (op === 'connect') return this.#connect(socket, params)
    const user = socket.user
    if (!user) throw { code: 'unauthenticated', status: 401 }
    const room = params.room !== undefined ? this.#room(params.room) : undefined
    if (room && !room.members.has(user)) throw { code: 'unknown_room', status: 404 }
    // Repeats by client id get the first answer.
    const key = params.client_id && `${user}:${socket.device}:${params.client_id}`
    if (key && this.#answers.has(key)) return { ...(this.#answers.get(key) as object), duplicate: true }
    const answer = this.#answer(socket, user, room as FakeRoom, op, params)
    if (key) this.#answers.set(key, answer)
    return answer
  }

  #connect(socket: FakeSocket, params: any): unknown {
    const who = this.tokens.get(params.token)
    if (!who) throw { code: 'token_expired', status: 401 }
    if (this.revoked.has(who.device)) throw { code: 'token_revoked', status: 401 }
    socket.user = who.user
    socket.device = who.device
    const sync = params.since === undefined ? undefined : this.#sync(who.user, params.since)
    return { epoch: this.epoch, user: who.user, device: who.device, expires_at: Date.now() + this.tokenLifetimeMs, ping_interval_ms: 20_000, sync }
  }

  #answer(socket: FakeSocket, user: string, room: FakeRoom, op: string, params: any): unknown {
    const receipt = (event: Event) => ({ room: room.id, seq: event.seq, commit: event.commit, duplicate: false })
    const extra = { client_id: params.client_id }
    switch (op) {
      case 'ping':
        return {}
      case 'sync':
        return this.#sync(user, params.since ?? 0)
      case 'token.renew':
        if (!this.tokens.has(params.token)) throw { code: 'token_expired', status: 401 }
        return { expires_at: Date.now() + this.tokenLifetimeMs }
      case 'me.get':
        return { ...this.users.get(user), app: 'default', admin: false, created_at: 0, device: this.#device(socket) }
      case 'user.search':
        return { users: (params.ids?.split(',') ?? [...this.users.keys()]).flatMap((id: string) => this.users.get(id) ?? []) }
      case 'presence.watch':
        socket.watched = params.users
        return { presence: params.users.map((id: string) => ({ user: id, online: [...this.sockets].some(other => other.user === id) })) }
      case 'room.get':
        return this.view(room, user)
      case 'room.direct': {
        const id = [user, params.user].sort().join('-')
        return this.view(this.rooms.get(id) ?? this.addRoom(id, [user, params.user], 'direct'), user)
      }
      case 'room.create': {
        const made = this.addRoom(params.id ?? `room-${this.rooms.size}`, [user])
        Object.assign(made.settings, JSON.parse(JSON.stringify(params.settings)))
        return this.view(made, user)
      }
      case 'message.send': {
        const number = this.#messages(room) + 1
        return receipt(this.append(room.id, user, { type: 'message.created', number, content: params.content, reply_to: params.reply_to }, extra))
      }
      case 'message.edit':
        return receipt(this.append(room.id, user, { type: 'message.edited', target: params.seq, content: params.content }, extra))
      case 'message.delete':
        return receipt(this.append(room.id, user, { type: 'message.deleted', target: params.seq, reason: params.reason }, extra))
      case 'reaction.set': {
        const before = this.#reactionsOf(room, params.seq, user, Infinity)
        const added = params.keys.filter((key: string) => !before.includes(key))
        const removed = before.filter(key => !params.keys.includes(key))
        return receipt(this.append(room.id, user, { type: 'reaction.updated', target: params.seq, keys: params.keys, added, removed }, extra))
      }
      case 'event.list':
        return this.page(room, user, params)
      case 'cursor.set':
        return this.#setCursors(room, user, params)
      case 'cursor.list':
        return { cursors: [...room.cursors].map(([user, cursors]) => ({ user, ...cursors })) }
      case 'typing.set':
        for (const other of this.sockets) {
          if (other === socket || !room.members.has(other.user ?? '')) continue
          this.push(other, { push: 'typing', room: room.id, user, typing: params.typing })
        }
        return {}
      case 'member.list':
        return { members: [...room.members].map(([id, state]) => ({ user: this.users.get(id), state, level: 10 })) }
      case 'member.invite':
        room.members.set(params.user, 'invited')
        room.cursors.set(params.user, { delivered: 0, read: 0, read_messages: 0 })
        return receipt(this.append(room.id, user, { type: 'member.updated', user: params.user, state: 'invited', level: 10 }, extra))
      case 'room.leave':
        room.members.set(user, 'left')
        return receipt(this.append(room.id, user, { type: 'member.updated', user, state: 'left', level: 10 }, extra))
      default:
        throw { code: 'unknown_operation', status: 400 }
    }
  }

  view(room: FakeRoom, user: string): Room {
    const cursors = room.cursors.get(user)!
    const messages = this.#messages(room)
    const last = room.log.findLast(event => event.type === 'message.created')
    const state = room.members.get(user)!
    const peer = room.kind === 'direct' ? [...room.members.keys()].find(id => id !== user) : undefined
    return {
      id: room.id,
      kind: room.kind,
      settings: { ...room.settings },
      created_at: 0,
      members: [...room.members.values()].filter(state => state === 'joined').length,
      head: room.log.length,
      messages,
      commit: room.commit,
      ...(last ? { last_message: this.#present(room, last, user) } : {}),
      me: { state, level: 10 },
      cursors: { ...cursors },
      unread: state === 'joined' ? messages - cursors.read_messages : 0,
      ...(peer ? { peer: { user: this.users.get(peer)!, cursors: { ...room.cursors.get(peer)! } } } : {}),
      receipts: room.members.size <= RECEIPTS_MEMBERS_MAX,
    }
  }

  page(room: FakeRoom, user: string, range: { before?: number; after?: number; around?: number; limit?: number }): EventPage {
    const { before, after, around } = range
    const limit = range.limit ?? 50
    const { log } = room
    let from = Math.max(log.length - limit, 0)
    if (before !== undefined) from = Math.max(before - 1 - limit, 0)
    if (after !== undefined) from = after
    if (around !== undefined) from = Math.max(around - 1 - Math.floor(limit / 2), 0)
    const to = Math.min(before !== undefined ? before - 1 : from + limit, log.length)
    const chosen = log.slice(from, to)
    const hasNewer = to < log.length
    this.meanwhile()
    return {
      events: chosen.map(event => this.#present(room, event, user)),
      has_older: from > 0,
      has_newer: hasNewer,
      as_of: log.length,
      users: [...room.members.keys()].map(id => this.users.get(id)!),
    }
  }

  #room(id: string): FakeRoom {
    const room = this.rooms.get(id)
    if (!room) throw { code: 'unknown_room', status: 404 }
    return room
  }

  #device(socket: FakeSocket): Device {
    return { id: socket.device ?? '', name: 'test', created_at: 0, last_seen_at: 0, current: true }
  }

  #messages(room: FakeRoom, upTo = Infinity): number {
    return room.log.filter(event => event.type === 'message.created' && event.seq <= upTo).length
  }

  #setCursors(room: FakeRoom, user: string, set: { delivered?: number; read?: number }): Cursors {
    const now = room.cursors.get(user)!
    const read = Math.max(now.read, set.read ?? 0)
    const next = { read, delivered: Math.max(now.delivered, set.delivered ?? 0, read), read_messages: this.#messages(room, read) }
    room.cursors.set(user, next)
    room.commit = ++this.#commit
    this.pushTo(room.id, { push: 'cursor', room: room.id, user, cursors: next, commit: room.commit })
    return next
  }

  #sync(user: string, since: number): SyncAnswer {
    const changed = [...this.rooms.values()]
      .filter(room => room.commit > since && room.members.has(user))
      .sort((a, b) => a.commit - b.commit)
    const told = changed.slice(0, this.syncRoomsMax)
    const more = told.length < changed.length
    return {
      epoch: this.epoch,
      commit: more ? told.at(-1)!.commit : this.#commit,
      rooms: told.map(room => this.view(room, user)),
      more,
      users: [...this.users.values()],
    }
  }

  #reactionsOf(room: FakeRoom, target: number, user: string, asOf: number): string[] {
    const last = room.log.findLast(
      event => event.type === 'reaction.updated' && event.target === target && event.sender === user && event.seq <= asOf,
    )
    return last?.type === 'reaction.updated' ? last.keys : []
  }

  /** An event with what has become of it. */
  #present(room: FakeRoom, event: Event, user: string): Event {
    if (event.type !== 'message.created') return event
    const changes = room.log.filter(other => 'target' in other && other.target === event.seq)
    const deleted = changes.find(change => change.type === 'message.deleted')
    const edit = changes.findLast(change => change.type === 'message.edited')
    const { content: _, ...rest } = event
    if (deleted) return { ...rest, deleted: { seq: deleted.seq } }
    const message: Message = { ...event }
    if (edit?.type === 'message.edited' && edit.content) Object.assign(message, { content: edit.content, edited: { seq: edit.seq, at: edit.at } })
    const sets = [...room.members.keys()].map(id => [id, this.#reactionsOf(room, event.seq, id, Infinity)] as const)
    const keys = [...new Set(sets.flatMap(([, keys]) => keys))]
    const reactions = keys.map(key => {
      const who = sets.filter(([, keys]) => keys.includes(key)).map(([id]) => id)
      return { key, count: who.length, mine: who.includes(user) }
    })
    return { ...event, ...message, ...(reactions.length > 0 ? { reactions: reactions.sort((a, b) => b.count - a.count) } : {}) }
  }
}

export class FakeSocket {
  readyState = 0
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  user: string | undefined
  device: string | undefined
  watched: string[] = []
  readonly server: FakeServer
  readonly url: string

  constructor(server: FakeServer, url: string) {
    this.server = server
    this.url = url
    server.attempts++
    setTimeout(() => {
      if (this.readyState !== 0) return
      if (server.down) return this.serverClose(1006)
      this.readyState = 1
      server.sockets.add(this)
      this.onopen?.()
    }, LATENCY_MS)
  }

  send(data: string): void {
    const frame = JSON.parse(data) as { id: number } & Operation
    setTimeout(() => {
      if (this.server.sockets.has(this)) this.server.receive(this, frame)
    }, LATENCY_MS)
  }

  deliver(frame: unknown): void {
    const data = JSON.stringify(frame)
    setTimeout(() => {
      if (this.readyState === 1) this.onmessage?.({ data })
    }, LATENCY_MS)
  }

  close(): void {
    this.readyState = 3
    this.server.sockets.delete(this)
  }

  serverClose(code: number): void {
    this.server.sockets.delete(this)
    setTimeout(() => {
      this.readyState = 3
      this.onclose?.({ code })
    }, LATENCY_MS)
  }
}

function problem(given: Partial<Problem>): Problem {
  if (given instanceof Error) throw given
  const code = given.code ?? 'internal'
  return { type: `urn:starling:error:${code}`, code, status: 500, title: code, retryable: false, request_id: 'r', ...given }
}
