// One room as the application holds it: its timelines, its outbox, what can be done in it.

import type { Connection, Op, Params, Result } from './connection.js'
import type { Core } from './core.js'
import { RoomCursors } from './cursors.js'
import { isMessage } from './fold.js'
import { newId } from './ids.js'
import { reachedBy } from './items.js'
import type { Outbox } from './outbox.js'
import type { Outgoing } from './outgoing.js'
import { Computed } from './store.js'
import { RoomTimeline, type Opening } from './timeline.js'
import type { OutgoingMessage, RoomHandle, RoomView, SendOptions, Timeline, TimelineOptions } from './types.js'
import { Typing } from './typing.js'
import type { Content, Cursors, Event, EventPage, EventRange, Member, Receipt, Room, RoomSettings, TextFormat } from './wire.js'

/** The event of an acknowledged message is pushed at once; if it isn't seen by then, it is read. */
const ECHO_TIMEOUT_MS = 2_000

/** Own reactions to a message as set last. */
interface OwnReactions {
  keys: string[]
  /** Sets that the server has not answered: until then its events tell of earlier ones. */
  pending: number
  /** Of the last set that the server has answered. */
  seq: number
}

/** What the list knows of the room. */
export interface RoomSource {
  room(): Room | undefined
  view(): RoomView | undefined
  refresh(): Promise<Room>
  cursorsMoved(cursors: Cursors): void
}

export class RoomCore implements RoomHandle {
  readonly id: string
  readonly view: Computed<RoomView | undefined>
  readonly cursors: RoomCursors
  readonly typing: Typing
  readonly #core: Core
  readonly #outbox: Outbox
  readonly #source: RoomSource
  readonly #timelines = new Set<RoomTimeline>()
  /** Acknowledged messages whose event hasn't been seen yet. */
  #accepted: Outgoing[] = []
  /** By message: quick clicks must not undo each other. */
  readonly #ownReactions = new Map<number, OwnReactions>()
  #toggling: Promise<unknown> = Promise.resolve()

  constructor(id: string, core: Core, outbox: Outbox, source: RoomSource) {
    this.id = id
    this.#core = core
    this.#outbox = outbox
    this.#source = source
    this.view = new Computed(() => source.view())
    this.cursors = new RoomCursors(core, id, () => source.room(), cursors => source.cursorsMoved(cursors))
    this.cursors.others.subscribe(() => this.changed())
    this.typing = new Typing(core, id)
  }

  get typingUsers() {
    return this.typing.users
  }

  get receipts() {
    return this.cursors.others
  }

  timeline(options?: TimelineOptions): Timeline {
    const timeline: RoomTimeline = new RoomTimeline(
      {
        me: () => this.#core.self()?.user,
        room: () => this.#source.room(),
        opening: () => this.#opening(),
        list: range => this.#list(range),
        cachedPage: () => this.#core.cache.page(this.id),
        savePage: page => this.#core.cache.savePage(this.id, page),
        reached: () => reachedBy(this.#source.room(), this.cursors.others.get()),
        echoes: () => [...this.#accepted, ...this.#outbox.messages(this.id)],
        closed: timeline => this.#timelines.delete(timeline),
      },
      options,
    )
    this.#timelines.add(timeline)
    this.#loadCursors()
    return timeline
  }

  send(text: string, options: SendOptions = {}): OutgoingMessage {
    const { format, replyTo, mentions, data, clientId } = options
    this.typing.stop()
    const content = textContent(text, { format, mentions, data })
    return this.#outbox.add({ room: this.id, clientId: clientId ?? newId(), content, replyTo })
  }

  edit(seq: number, text: string, options: { format?: TextFormat } = {}): Promise<Receipt> {
    const event = this.#find(seq)
    // Mentions and data are not the text's: an edit keeps them.
    const { mentions, data } = (event && isMessage(event) && event.content) || {}
    return this.#write('message.edit', { seq, content: textContent(text, { ...options, mentions, data }) })
  }

  delete(seq: number, reason?: string): Promise<Receipt> {
    return this.#write('message.delete', { seq, reason })
  }

  async react(seq: number, key: string): Promise<Receipt> {
    // One after the other: each toggles what the one before has set, whether or not the server knows it yet.
    const toggled = this.#toggling.then(async () => {
      const now = this.#ownReactions.get(seq)?.keys ?? (await this.#readOwnReactions(seq))
      const keys = now.includes(key) ? now.filter(other => other !== key) : [...now, key]
      return { receipt: this.setReactions(seq, keys) }
    })
    this.#toggling = toggled.catch(() => {})
    return (await toggled).receipt
  }

  async setReactions(seq: number, keys: string[]): Promise<Receipt> {
    const own = this.#ownReactions.get(seq) ?? { keys, pending: 0, seq: 0 }
    this.#ownReactions.set(seq, own)
    own.keys = keys
    own.pending++
    try {
      const receipt = await this.#write('reaction.set', { seq, keys })
      own.seq = Math.max(own.seq, receipt.seq)
      return receipt
    } catch (error) {
      if (this.#ownReactions.get(seq) === own) this.#ownReactions.delete(seq)
      throw error
    } finally {
      own.pending--
    }
  }

  markRead(seq?: number): void {
    const to = seq ?? this.#source.room()?.head
    if (to) this.cursors.markRead(to)
  }

  async members(options: { cursor?: string; limit?: number } = {}): Promise<{ members: Member[]; next?: string }> {
    const page = await this.#core.connection.call('member.list', { room: this.id, ...options })
    this.#core.users.put(page.members.map(({ user }) => user))
    return page
  }

  invite(user: string): Promise<Receipt> {
    return this.#write('member.invite', { user })
  }

  remove(user: string): Promise<Receipt> {
    return this.#write('member.remove', { user })
  }

  setLevel(user: string, level: number): Promise<Receipt> {
    return this.#write('member.level', { user, level })
  }

  async join(): Promise<Receipt> {
    const receipt = await this.#write('room.join', {})
    // Who joins an open room by its id has not been told of it before.
    await this.#source.refresh()
    return receipt
  }

  leave(): Promise<Receipt> {
    return this.#write('room.leave', {})
  }

  update(settings: RoomSettings): Promise<Receipt> {
    return this.#write('room.update', { settings })
  }

  // --- What the client tells its rooms.

  event(event: Event): void {
    const me = this.#core.self()?.user
    this.#accepted = this.#accepted.filter(message => (message.get().receipt?.seq ?? 0) > event.seq)
    if (isMessage(event)) this.typing.heard(event.sender, false)
    else if (event.type === 'reaction.updated' && event.sender === me) this.#ownReaction(event.target, event)
    else if (event.type === 'member.updated') this.#memberChanged(event.user, event.state === 'joined')
    for (const timeline of this.#timelines) timeline.event(event)
  }

  accepted(message: Outgoing): void {
    const seq = message.get().receipt?.seq
    if (seq === undefined || ![...this.#timelines].some(timeline => timeline.lacks(seq))) return
    this.#accepted = [...this.#accepted, message].sort((a, b) => (a.get().receipt?.seq ?? 0) - (b.get().receipt?.seq ?? 0))
    setTimeout(async () => {
      await Promise.all([...this.#timelines].map(timeline => timeline.lacks(seq) && timeline.repair()))
      this.#accepted = this.#accepted.filter(other => other !== message)
    }, ECHO_TIMEOUT_MS)
  }

  /** After a reconnect or a resync: read what was missed. */
  caughtUp(): void {
    for (const [seq, { pending }] of this.#ownReactions) if (pending === 0) this.#ownReactions.delete(seq)
    this.cursors.reconnected()
    if (this.#timelines.size > 0) this.#loadCursors()
    for (const timeline of this.#timelines) void timeline.repair()
  }

  changed(): void {
    for (const timeline of this.#timelines) timeline.changed()
  }

  /** The history is another one: seqs mean something else now. */
  restart(): void {
    this.#accepted = []
    this.#ownReactions.clear()
    this.cursors.clear()
    for (const timeline of this.#timelines) void timeline.restart()
  }

  reload(): void {
    for (const timeline of this.#timelines) void timeline.reload()
  }

  clear(): void {
    this.#accepted = []
    this.#ownReactions.clear()
    this.cursors.clear()
    this.typing.clear()
    for (const timeline of [...this.#timelines]) timeline.close()
  }

  /** The echo of an earlier click, or what another device has set. */
  #ownReaction(target: number, { keys, seq }: { keys: string[]; seq: number }): void {
    const own = this.#ownReactions.get(target)
    if (!own || (own.pending === 0 && seq > own.seq)) this.#ownReactions.set(target, { keys, pending: 0, seq })
  }

  #memberChanged(user: string, joined: boolean): void {
    if (!joined) {
      this.cursors.left(user)
      this.typing.heard(user, false)
    } else if (this.#timelines.size > 0) this.#loadCursors()
  }

  #loadCursors(): void {
    this.#ensure().then(() => this.cursors.load(), () => {})
  }

  async #opening(): Promise<Opening> {
    // Rejects when the client is closed.
    await this.#core.connection.whenOnline()
    await this.#core.synced
    const room = await this.#ensure()
    const { read } = this.cursors
    // Read here, though the server doesn't know it yet.
    const unread = room && read < room.head ? room.unread : 0
    return { unread, read }
  }

  async #ensure(): Promise<Room | undefined> {
    await this.#core.restored
    return this.#source.room() ?? this.#source.refresh()
  }

  async #list(range: EventRange): Promise<EventPage> {
    const page = await this.#core.connection.call('event.list', { room: this.id, ...range })
    this.#core.users.put(page.users)
    return page
  }

  #find(seq: number): Event | undefined {
    for (const timeline of this.#timelines) {
      const event = timeline.find(seq)
      if (event) return event
    }
    return undefined
  }

  async #readOwnReactions(seq: number): Promise<string[]> {
    const event = this.#find(seq) ?? (await this.#list({ around: seq, limit: 1 })).events.find(event => event.seq === seq)
    const reactions = (event && isMessage(event) && event.reactions) || []
    return reactions.filter(({ mine }) => mine).map(({ key }) => key)
  }

  /** Writes in this room; the client id makes the repeat after a lost answer safe. */
  #write<K extends Op>(op: K, params: Omit<Params<K>, 'room' | 'client_id'>): Promise<Result<K>> {
    const connection: Connection = this.#core.connection
    return connection.call(op, { ...params, room: this.id, client_id: newId() } as unknown as Params<K>)
  }
}

function textContent(
  text: string,
  options: { format?: TextFormat | undefined; mentions?: string[] | undefined; data?: Record<string, unknown> | undefined },
): Content {
  const content: Content = { type: 'text', text, format: options.format ?? 'plain' }
  if (options.mentions?.length) content.mentions = options.mentions
  if (options.data) content.data = options.data
  return content
}
