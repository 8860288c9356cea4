// Profiles: kept as they come along with rooms and events; those missing are fetched together.

import type { Cache } from './cache.js'
import type { Connection } from './connection.js'
import { Value } from './store.js'
import type { Store, Users } from './types.js'
import type { User } from './wire.js'

const FETCH_AFTER_MS = 10
const IDS_PER_REQUEST_MAX = 100

export class UserCache implements Users {
  readonly #connection: Connection
  readonly #cache: Cache
  readonly #users = new Map<string, Value<User | undefined>>()
  readonly #missing = new Set<string>()
  /** Ids whose profile is in the cache: one found by searching is not, until it is met in a room. */
  readonly #saved = new Set<string>()
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Told of profiles that are new or changed. */
  changed: (users: User[]) => void = () => {}

  constructor(connection: Connection, cache: Cache) {
    this.#connection = connection
    this.#cache = cache
  }

  get(id: string): Store<User | undefined> {
    const value = this.#value(id)
    if (!value.get()) this.#fetch(id)
    return value
  }

  /** The profile, or one made of the id until it is there. */
  known(id: string): User {
    return this.get(id).get() ?? { id, display_name: id, kind: 'person' }
  }

  put(users: User[], save = true): void {
    const changed = users.filter(user => {
      this.#missing.delete(user.id)
      const old = this.#value(user.id).get()
      return old?.display_name !== user.display_name || old.kind !== user.kind
    })
    for (const user of changed) {
      this.#value(user.id).set(user)
      this.#saved.delete(user.id)
    }
    for (const user of save ? users : []) {
      if (this.#saved.has(user.id)) continue
      this.#saved.add(user.id)
      this.#cache.save(`user:${user.id}`, user)
    }
    if (changed.length > 0) this.changed(changed)
  }

  async search(query: string, options: { limit?: number } = {}): Promise<User[]> {
    const page = await this.#connection.call('user.search', { query, limit: options.limit })
    this.put(page.users, false)
    return page.users
  }

  clear(): void {
    this.#missing.clear()
    this.#saved.clear()
    for (const value of this.#users.values()) value.set(undefined)
  }

  #value(id: string): Value<User | undefined> {
    let value = this.#users.get(id)
    if (!value) this.#users.set(id, (value = new Value<User | undefined>(undefined)))
    return value
  }

  #fetch(id: string): void {
    this.#missing.add(id)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const ids = [...this.#missing]
      this.#missing.clear()
      for (let at = 0; at < ids.length; at += IDS_PER_REQUEST_MAX) {
        const some = ids.slice(at, at + IDS_PER_REQUEST_MAX)
        // A profile that can't be had stays unknown; the id is shown.
        const asked = this.#connection.call('user.search', { ids: some.join(','), limit: IDS_PER_REQUEST_MAX })
        asked.then(page => this.put(page.users), () => {})
      }
    }, FETCH_AFTER_MS)
  }
}
