// How far everybody has got in one room: moves the own cursors forward, with few requests, and knows the others'.

import type { Core } from './core.js'
import { toChatError } from './errors.js'
import { Computed } from './store.js'
import type { Cursors, Room } from './wire.js'

const READ_AFTER_MS = 300
/** Statuses of a room that the user is not in, or that is not. */
const GONE = [403, 404]
const DELIVERED_EVERY_MS = 1_000

export class RoomCursors {
  /** The other members' cursors, by user id. */
  readonly others: Computed<Record<string, Cursors>>
  readonly #core: Core
  readonly #room: string
  /** The room as the list has it, if it is there. */
  readonly #get: () => Room | undefined
  /** Own cursors as the server answered them. */
  readonly #moved: (cursors: Cursors) => void
  #others = new Map<string, Cursors>()
  /** Up to where it was read here. What of it the server doesn't know is stored as well. */
  #read = 0
  #stored = false
  #delivered = 0
  #readTimer: ReturnType<typeof setTimeout> | undefined
  #deliveredTimer: ReturnType<typeof setTimeout> | undefined
  #deliveredAt = -Infinity

  constructor(core: Core, room: string, get: () => Room | undefined, moved: (cursors: Cursors) => void) {
    this.#core = core
    this.#room = room
    this.#get = get
    this.#moved = moved
    this.others = new Computed(() => Object.fromEntries(this.#others))
  }

  /** How far the user has read, whether or not the server knows it. */
  get read(): number {
    return Math.max(this.#read, this.#get()?.cursors.read ?? 0)
  }

  /** Read before a reload, and not sent then. */
  restore(seq: number): void {
    this.#read = Math.max(this.#read, seq)
    this.#stored = true
  }

  markRead(seq: number): void {
    if (seq <= this.read) return
    this.#read = seq
    this.#store(true)
    this.#delivered = Math.max(this.#delivered, seq)
    clearTimeout(this.#readTimer)
    this.#readTimer = setTimeout(() => void this.flush(), READ_AFTER_MS)
  }

  /** Messages have arrived here: others may know. */
  arrived(): void {
    const room = this.#get()
    if (!room?.receipts || room.me?.state !== 'joined' || room.unread === 0) return
    if (room.head <= Math.max(this.#delivered, room.cursors.delivered)) return
    if (this.#deliveredTimer !== undefined) return
    const waitMs = Math.max(this.#deliveredAt + DELIVERED_EVERY_MS - Date.now(), this.#core.deliveryTurn())
    this.#deliveredTimer = setTimeout(() => {
      this.#deliveredTimer = undefined
      this.#deliveredAt = Date.now()
      const head = this.#get()?.head ?? 0
      if (head <= Math.max(this.#delivered, this.#get()?.cursors.delivered ?? 0)) return
      this.#delivered = head
      void this.#set({ delivered: head })
    }, waitMs)
  }

  /** Sends what markRead gathered. While not connected it is kept for `reconnected`. */
  async flush(): Promise<void> {
    clearTimeout(this.#readTimer)
    this.#readTimer = undefined
    if (this.#read > (this.#get()?.cursors.read ?? 0)) await this.#set({ read: this.#read })
    else if (this.#stored) this.#store(false)
  }

  #store(stored: boolean): void {
    this.#stored = stored
    this.#core.cache.saveRead(this.#room, stored ? this.#read : undefined)
  }

  reconnected(): void {
    this.#delivered = 0
    void this.flush()
    this.arrived()
  }

  async #set(cursors: { read?: number; delivered?: number }): Promise<void> {
    try {
      const moved = await this.#core.connection.request('cursor.set', { room: this.#room, ...cursors })
      this.#moved(moved)
      if (this.#stored && moved.read >= this.#read) this.#store(false)
    } catch (error) {
      // Lost: the next move, or the next connection, says it again. A room that is no longer the user's has no marks.
      if (this.#stored && GONE.includes(toChatError(error).status)) this.#store(false)
    }
  }

  /** Asks for everybody's cursors: when a timeline opens, after each reconnect, and when somebody joined. */
  async load(): Promise<void> {
    if (!this.#get()?.receipts) return
    try {
      const { cursors } = await this.#core.connection.call('cursor.list', { room: this.#room })
      const me = this.#core.self()?.user
      this.#others = new Map(
        cursors
          .filter(({ user }) => user !== me)
          .map(({ user, ...cursors }) => [user, forward(this.#others.get(user), cursors)]),
      )
      this.others.invalidate()
    } catch {
      // Without them own messages are shown as sent.
    }
  }

  heard(user: string, cursors: Cursors): void {
    this.#others.set(user, forward(this.#others.get(user), cursors))
    this.others.invalidate()
  }

  left(user: string): void {
    if (this.#others.delete(user)) this.others.invalidate()
  }

  clear(): void {
    clearTimeout(this.#readTimer)
    clearTimeout(this.#deliveredTimer)
    this.#readTimer = this.#deliveredTimer = undefined
    this.#others.clear()
    this.#read = this.#delivered = 0
    this.#stored = false
    this.others.invalidate()
  }
}

/** Cursors only move forward; news may overtake one another. */
export function forward(before: Cursors | undefined, after: Cursors): Cursors {
  if (!before) return after
  return {
    delivered: Math.max(before.delivered, after.delivered),
    read: Math.max(before.read, after.read),
    read_messages: Math.max(before.read_messages, after.read_messages),
  }
}
