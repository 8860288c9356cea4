// What the parts of a client share. Each part gets this instead of the others.

import type { Cache } from './cache.js'
import type { Connection } from './connection.js'
import type { UserCache } from './users.js'

export interface Core {
  readonly connection: Connection
  readonly cache: Cache
  readonly users: UserCache
  /** Settled when the cache has been read. */
  readonly restored: Promise<void>
  /** Settled after the first sync since the client was made: from then on cursors are the server's, not the last visit's. */
  readonly synced: Promise<void>
  /** Turns for reporting deliveries: after a long absence there are as many as rooms. */
  readonly deliveryTurn: () => number
  /** The own user and device, as far as known: from the cache at first, then from the server. */
  self(): { user: string; device: string } | undefined
}
