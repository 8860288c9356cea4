// Who gives a group without a name its title: the first of the other members. They are asked for when a view of the group
// is made, one group at a time, and kept; asked again when the number of members has changed.

import type { Cache, Faces } from './cache.js'
import type { Connection } from './connection.js'
import type { Room, User } from './wire.js'

export const FACES_MAX = 3
/** Enough to find three joined ones among invitations. */
const MEMBERS_ASKED = 10

interface FacesOptions {
  connection: Connection
  cache: Cache
  me(): string | undefined
  /** Profiles that came along. */
  met(users: User[]): void
  /** The faces of a room are known, or others. */
  changed(room: string): void
}

export class GroupFaces {
  readonly #options: FacesOptions
  readonly #known = new Map<string, Faces>()
  readonly #asked = new Set<string>()
  #asking: Promise<void> = Promise.resolve()

  constructor(options: FacesOptions) {
    this.#options = options
  }

  /** Ids of up to three others; `undefined` as long as they are not known, or the room has another title. */
  of(room: Room): string[] | undefined {
    if (room.kind !== 'group' || room.settings.name) return undefined
    // Who is only invited may not read the list: the one who invited stands for the group.
    if (room.me?.state === 'invited' && room.me.invited_by) return [room.me.invited_by]
    const known = this.#known.get(room.id)
    if (room.me?.state === 'joined' && known?.members !== room.members) this.#ask(room)
    return known?.users
  }

  restore(faces: [room: string, faces: Faces][]): void {
    for (const [room, known] of faces) if (!this.#known.has(room)) this.#known.set(room, known)
  }

  /** Members came or went: their number may be the same. */
  stale(room: string): void {
    const known = this.#known.get(room)
    if (known) this.#known.set(room, { ...known, members: -1 })
    this.#options.changed(room)
  }

  has(room: string, users: ReadonlySet<string>): boolean {
    return this.#known.get(room)?.users.some(user => users.has(user)) ?? false
  }

  clear(): void {
    this.#known.clear()
    this.#asked.clear()
  }

  #ask({ id, members }: Room): void {
    if (this.#asked.has(id)) return
    this.#asked.add(id)
    this.#asking = this.#asking.then(async () => {
      try {
        const page = await this.#options.connection.call('member.list', { room: id, limit: MEMBERS_ASKED })
        // Cleared meanwhile: it was asked for somebody else.
        if (!this.#asked.has(id)) return
        const others = page.members.filter(({ user }) => user.id !== this.#options.me())
        const joined = others.filter(({ state }) => state === 'joined')
        const invited = others.filter(({ state }) => state === 'invited')
        const users = [...joined, ...invited].slice(0, FACES_MAX).map(({ user }) => user)
        this.#options.met(users)
        const faces = { users: users.map(({ id }) => id), members }
        this.#known.set(id, faces)
        this.#options.cache.saveFaces(id, faces)
        this.#asked.delete(id)
        this.#options.changed(id)
      } catch {
        // The title stays as it is until the room changes again.
        this.#asked.delete(id)
      }
    })
  }
}
