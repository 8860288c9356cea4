// Presence: the union of what is subscribed to is watched on the connection, and watched anew after each reconnect.

import type { Connection } from './connection.js'
import { Computed } from './store.js'
import type { PresenceMap, Store } from './types.js'
import type { Presence } from './wire.js'

const WATCH_AFTER_MS = 50
const WATCHED_MAX = 500

export class PresenceWatcher {
  readonly #connection: Connection
  readonly #known = new Map<string, { online: boolean; lastSeenAt?: number }>()
  /** How many subscribed stores want each user. */
  readonly #wanted = new Map<string, number>()
  readonly #stores = new Set<{ ids: Set<string>; store: Computed<PresenceMap> }>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(connection: Connection) {
    this.#connection = connection
  }

  store(ids: string[]): Store<PresenceMap> {
    const own = new Set(ids)
    const store = new Computed<PresenceMap>(
      () => Object.fromEntries([...own].flatMap(id => (this.#known.has(id) ? [[id, this.#known.get(id)!]] : []))),
      watched => {
        if (watched) this.#stores.add(entry)
        else this.#stores.delete(entry)
        for (const id of own) {
          const count = (this.#wanted.get(id) ?? 0) + (watched ? 1 : -1)
          if (count > 0) this.#wanted.set(id, count)
          else this.#wanted.delete(id)
        }
        this.watch()
      },
    )
    const entry = { ids: own, store }
    return store
  }

  apply(presences: Presence[]): void {
    for (const { user, online, last_seen_at } of presences) {
      this.#known.set(user, last_seen_at === undefined ? { online } : { online, lastSeenAt: last_seen_at })
    }
    for (const { ids, store } of this.#stores) if (presences.some(({ user }) => ids.has(user))) store.invalidate()
  }

  /** Tells the server whom to watch; soon, so that many subscriptions become one request. */
  watch(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const users = [...this.#wanted.keys()].slice(0, WATCHED_MAX)
      // While not connected nothing is lost: it is asked again on connect.
      this.#connection.request('presence.watch', { users }).then(({ presence }) => this.apply(presence), () => {})
    }, WATCH_AFTER_MS)
  }

  reconnected(): void {
    if (this.#wanted.size > 0) this.watch()
  }

  clear(): void {
    this.#known.clear()
    for (const { store } of this.#stores) store.invalidate()
  }
}
