// What a reload finds again: who is signed in, the room list with its commit, profiles, read marks not sent yet, and the
// last page of the rooms opened last. Writes are gathered; rooms and the commit they belong to are written together.

import type { ClientStorage } from './storage.js'
import type { EventPage, Me, Room, User } from './wire.js'

const WRITE_AFTER_MS = 500
const PAGES_MAX = 20
const READ = 'read:'
const FACES = 'faces:'
/** Under this the outbox keeps its messages. */
export const OUTBOX = 'out:'

type CachedPage = EventPage & { saved_at: number }

export interface Cached {
  me: Me | undefined
  commit: number
  /** The history that the commit and all seqs are of. */
  epoch: string | undefined
  rooms: Room[]
  users: User[]
  /** Up to where a room was read here, as long as the server doesn't know it. */
  reads: [room: string, seq: number][]
  /** Who gives a group without a name its title. */
  faces: [room: string, faces: Faces][]
}

/** The first of the other members, by user id, and how many members there were. */
export interface Faces {
  users: string[]
  members: number
}

export class Cache {
  readonly storage: ClientStorage
  readonly #dirty = new Map<string, unknown>()
  /** Pages written by this tab: only a new one can be one too many. */
  readonly #pages = new Set<string>()
  #timer: ReturnType<typeof setTimeout> | undefined
  /** After signing out: nothing may come back. */
  #discarding = false

  constructor(storage: ClientStorage) {
    this.storage = storage
  }

  async load(): Promise<Cached> {
    const [me, commit, epoch, rooms, users, reads, faces] = await Promise.all([
      this.storage.get('me'),
      this.storage.get('commit'),
      this.storage.get('epoch'),
      this.storage.list('room:'),
      this.storage.list('user:'),
      this.storage.list(READ),
      this.storage.list(FACES),
    ])
    return {
      me: me as Me | undefined,
      commit: typeof commit === 'number' ? commit : 0,
      epoch: typeof epoch === 'string' ? epoch : undefined,
      rooms: rooms.map(([, room]) => room as Room),
      users: users.map(([, user]) => user as User),
      reads: reads.map(([key, seq]) => [key.slice(READ.length), seq as number]),
      faces: faces.map(([key, faces]) => [key.slice(FACES.length), faces as Faces]),
    }
  }

  async page(room: string): Promise<EventPage | undefined> {
    await this.flush()
    return (await this.storage.get(`page:${room}`)) as EventPage | undefined
  }

  savePage(room: string, page: EventPage): void {
    this.save(`page:${room}`, { ...page, saved_at: Date.now() } satisfies CachedPage)
  }

  /** `undefined`: the server knows it. */
  saveRead(room: string, seq: number | undefined): void {
    this.save(READ + room, seq)
  }

  /** What was kept of rooms is of a history that is no more. What is still to be sent stays. */
  dropRooms(ids: string[]): void {
    for (const id of ids) for (const kind of ['room:', 'page:', READ, FACES]) this.save(kind + id, undefined)
  }

  saveFaces(room: string, faces: Faces | undefined): void {
    this.save(FACES + room, faces)
  }

  /** Written soon; `undefined` deletes. */
  save(key: string, value: unknown): void {
    if (this.#discarding) return
    this.#dirty.set(key, value)
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_AFTER_MS)
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#dirty.size === 0) return
    const entries = [...this.#dirty]
    this.#dirty.clear()
    await this.storage.set(entries)
    const pages = entries.filter(([key]) => key.startsWith('page:') && !this.#pages.has(key))
    for (const [key] of pages) this.#pages.add(key)
    if (pages.length > 0) await this.#forgetOldPages()
  }

  async clear(): Promise<void> {
    this.#pages.clear()
    this.#forgetDirty()
    await this.storage.clear()
  }

  /** Writes nothing any more, not even what was to be written soon, until `start`. */
  discard(): void {
    this.#discarding = true
    this.#forgetDirty()
  }

  start(): void {
    this.#discarding = false
  }

  /** What was found is somebody else's, or nobody knows whose. Messages still to be sent are only deleted if asked. */
  async disown(options: { outbox: boolean }): Promise<void> {
    const found = await this.storage.list('')
    await this.storage.set(found.flatMap(([key]) => (key.startsWith(OUTBOX) && !options.outbox ? [] : [[key, undefined]])))
  }

  #forgetDirty(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#dirty.clear()
  }

  async #forgetOldPages(): Promise<void> {
    const pages = (await this.storage.list('page:')) as [string, CachedPage][]
    const oldest = pages.sort(([, a], [, b]) => b.saved_at - a.saved_at).slice(PAGES_MAX)
    if (oldest.length > 0) await this.storage.set(oldest.map(([key]) => [key, undefined]))
  }
}
