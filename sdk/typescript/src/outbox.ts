// Messages that the server doesn't have yet: in order per room, kept over reloads, each under a client id that stays the
// same, so that whatever happens on the way the server has each of them once.
//
// Several messages of a room are on the way at a time. When it is unknown or refused for the moment what became of one,
// it and all after it that are not acknowledged go again, in order. A refusal for good fails only that message.
//
// Each tab sends what it wrote; what a dead tab left behind is adopted by another, under a lock. Should two tabs ever
// send the same message, the server knows it by its client id: all tabs are one device.

import { backoff } from './backoff.js'
import { OUTBOX } from './cache.js'
import type { Core } from './core.js'
import { ChatError, networkError, toChatError } from './errors.js'
import { newId } from './ids.js'
import { Outgoing, type OutboxEntry } from './outgoing.js'
import type { Receipt } from './wire.js'

const IN_FLIGHT_MAX = 16
const ATTEMPTS_MAX = 20

class RoomQueue {
  /** Ascending by order: queued, sending and failed ones. */
  messages: Outgoing[] = []
  inFlight = 0
  /** Smaller after the server said "later": then order is worth more than speed. */
  window = IN_FLIGHT_MAX
  failures = 0
  pause: ReturnType<typeof setTimeout> | undefined
  /** It is being looked whether the first message is still to be sent. */
  checking = false
}

export class Outbox {
  readonly #core: Core
  readonly #tab = newId()
  readonly #rooms = new Map<string, RoomQueue>()
  /** Adopted without knowing whether their tab lives: it may have sent them by the time it is their turn. */
  readonly #unsure = new Set<Outgoing>()
  #lastOrder = 0
  #closed = false
  #releaseTab: (() => void) | undefined
  /** Told of each change in a room's queue. */
  changed: (room: string) => void = () => {}
  /** Told of each message that the server took. */
  accepted: (message: Outgoing, receipt: Receipt) => void = () => {}

  constructor(core: Core) {
    this.#core = core
  }

  /** What is on its way in a room, in order. */
  messages(room: string): readonly Outgoing[] {
    return this.#rooms.get(room)?.messages ?? []
  }

  /** Begins to be this tab: until `close`, other tabs leave its messages alone. */
  start(): void {
    this.#closed = false
    const locks = globalThis.navigator?.locks
    if (!locks || this.#releaseTab) return
    const held = new Promise<void>(release => (this.#releaseTab = release))
    locks.request(tabLock(this.#tab), () => held).catch(() => {})
  }

  close(): void {
    this.#closed = true
    this.#releaseTab?.()
    this.#releaseTab = undefined
    for (const queue of this.#rooms.values()) {
      clearTimeout(queue.pause)
      queue.pause = undefined
    }
  }

  add(message: Pick<OutboxEntry, 'room' | 'clientId' | 'content'> & { replyTo?: number | undefined }): Outgoing {
    const { room, clientId, content, replyTo } = message
    const now = Date.now()
    this.#lastOrder = Math.max(this.#lastOrder + 1, now * 1000)
    const entry: OutboxEntry = { room, order: this.#lastOrder, clientId, content, at: now, tab: this.#tab }
    if (replyTo !== undefined) entry.replyTo = replyTo
    const device = this.#core.self()?.device
    if (device !== undefined) entry.device = device
    const outgoing = this.#insert(entry)
    this.#store(outgoing)
    this.changed(room)
    this.#pump(room)
    return outgoing
  }

  /** Takes over what earlier or dead tabs left in the storage. */
  async adopt(): Promise<void> {
    // Until then, what is stored may be somebody else's.
    await this.#core.restored
    const locks = globalThis.navigator?.locks
    if (!locks) return this.#adoptFrom(new Set())
    await locks.request('starling.outbox.adopt', async () => {
      const { held = [] } = await locks.query()
      await this.#adoptFrom(new Set(held.map(({ name }) => name)))
    })
  }

  async #adoptFrom(living: ReadonlySet<string | undefined>): Promise<void> {
    const stored = (await this.#core.cache.storage.list(OUTBOX)).map(([, entry]) => entry as OutboxEntry)
    const orphans = stored.filter(
      ({ tab, room, clientId }) =>
        tab !== this.#tab && !living.has(tabLock(tab)) && !this.messages(room).some(known => known.clientId === clientId),
    )
    if (orphans.length === 0 || this.#closed) return
    const adopted = orphans.sort((a, b) => a.order - b.order).map(entry => this.#insert({ ...entry, tab: this.#tab }))
    if (!globalThis.navigator?.locks) for (const message of adopted) this.#unsure.add(message)
    await this.#core.cache.storage.set(adopted.map(({ entry }) => [OUTBOX + entry.clientId, entry]))
    this.#checkDevice()
    for (const room of new Set(orphans.map(({ room }) => room))) {
      this.changed(room)
      this.#pump(room)
    }
  }

  connected(): void {
    this.#checkDevice()
    for (const room of this.#rooms.keys()) this.#pump(room)
  }

  /** Forgets everything, stored or not. */
  clear(): void {
    const rooms = [...this.#rooms.values()]
    this.#rooms.clear()
    for (const queue of rooms) {
      clearTimeout(queue.pause)
      for (const message of queue.messages.splice(0)) message.refused(cancelled())
    }
  }

  #insert(entry: OutboxEntry): Outgoing {
    const message = new Outgoing(entry, { retry: message => this.#retry(message), cancel: message => this.#cancel(message) })
    let queue = this.#rooms.get(entry.room)
    if (!queue) this.#rooms.set(entry.room, (queue = new RoomQueue()))
    queue.messages.push(message)
    queue.messages.sort((a, b) => a.entry.order - b.entry.order)
    return message
  }

  #pump(room: string): void {
    const queue = this.#rooms.get(room)
    if (!queue || this.#closed) return
    for (const message of [...queue.messages]) {
      if (queue.pause || queue.checking || !this.#core.connection.online || queue.inFlight >= queue.window) return
      if (message.get().status === 'queued' && this.#unsure.has(message)) return void this.#check(queue, message)
      if (message.get().status === 'queued') void this.#send(queue, message)
    }
  }

  async #check(queue: RoomQueue, message: Outgoing): Promise<void> {
    const { room, clientId } = message.entry
    queue.checking = true
    const stored = await this.#core.cache.storage.get(OUTBOX + clientId)
    queue.checking = false
    this.#unsure.delete(message)
    if (stored === undefined && this.#remove(message)) {
      message.refused(cancelled())
      this.changed(room)
    }
    this.#pump(room)
  }

  async #send(queue: RoomQueue, message: Outgoing): Promise<void> {
    const { room, clientId, content, replyTo } = message.entry
    const device = this.#core.self()?.device
    if (device !== undefined && message.entry.device === undefined) {
      message.entry.device = device
      this.#store(message)
    }
    queue.inFlight++
    message.sending()
    this.changed(room)
    try {
      const receipt = await this.#core.connection.request('message.send', { room, client_id: clientId, content, reply_to: replyTo })
      queue.inFlight--
      queue.failures = 0
      queue.window = IN_FLIGHT_MAX
      // Cancelled meanwhile: it stays so here, and comes back as the message that it became.
      if (this.#remove(message)) {
        message.accepted(receipt)
        this.accepted(message, receipt)
      }
    } catch (thrown) {
      queue.inFlight--
      if (queue.messages.includes(message)) this.#failed(queue, message, toChatError(thrown))
    }
    this.changed(room)
    this.#pump(room)
  }

  #failed(queue: RoomQueue, message: Outgoing, error: ChatError): void {
    if (!error.retryable || queue.failures >= ATTEMPTS_MAX) {
      if (!this.#closed) this.#refuse(message, error)
      else message.queued()
      return
    }
    message.queued()
    // Lost with the connection: `connected` goes on. Otherwise the server said "later".
    if (error.code === 'network' || queue.pause || this.#closed) return
    queue.window = 1
    queue.pause = setTimeout(() => {
      queue.pause = undefined
      this.#pump(message.entry.room)
    }, error.retryAfterMs ?? backoff(queue.failures))
    queue.failures++
  }

  #refuse(message: Outgoing, error: ChatError): void {
    message.refused(error)
    this.#store(message)
  }

  #retry(message: Outgoing): void {
    const queue = this.#rooms.get(message.entry.room)
    if (!queue?.messages.includes(message)) return
    queue.failures = 0
    const device = this.#core.self()?.device
    if (device !== undefined) message.entry.device = device
    message.queued()
    this.#store(message)
    this.changed(message.entry.room)
    this.#pump(message.entry.room)
  }

  #cancel(message: Outgoing): void {
    if (!this.#remove(message)) return
    message.refused(cancelled())
    this.changed(message.entry.room)
    this.#pump(message.entry.room)
  }

  #remove(message: Outgoing): boolean {
    const queue = this.#rooms.get(message.entry.room)
    const at = queue?.messages.indexOf(message) ?? -1
    if (!queue || at < 0) return false
    queue.messages.splice(at, 1)
    void this.#core.cache.storage.set([[OUTBOX + message.clientId, undefined]])
    return true
  }

  #store(message: Outgoing): void {
    void this.#core.cache.storage.set([[OUTBOX + message.clientId, message.entry]])
  }

  /** A message sent as another device can't be repeated safely: whether to send it again is the user's to say. */
  #checkDevice(): void {
    const device = this.#core.self()?.device
    if (device === undefined) return
    for (const queue of this.#rooms.values()) {
      for (const message of queue.messages) {
        if (message.get().status !== 'queued' || message.entry.device === undefined || message.entry.device === device) continue
        this.#refuse(message, networkError('signed in anew: it is not known whether this message was sent'))
      }
    }
  }
}

const tabLock = (tab: string) => `starling.tab.${tab}`
const cancelled = () => new ChatError('cancelled', 'the message was cancelled')
