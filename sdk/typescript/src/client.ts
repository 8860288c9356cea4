// Puts the parts together: what comes in is handed to those who want it, what ends is cleared.

import { pacer, sleep } from './backoff.js'
import { Cache } from './cache.js'
import { Connection } from './connection.js'
import type { Core } from './core.js'
import { closedError, isSignedOut, needsToken, toChatError } from './errors.js'
import { Outbox } from './outbox.js'
import { watchPage } from './page.js'
import { PresenceWatcher } from './presence.js'
import { rest } from './rest.js'
import { RoomList } from './rooms.js'
import { indexedDbStorage, memoryStorage, tolerant, type ClientStorage } from './storage.js'
import { call, Value } from './store.js'
import { Tokens } from './tokens.js'
import type { Client, ClientEvents, ClientOptions } from './types.js'
import { UserCache } from './users.js'
import type { Connected, Me, Push, SyncAnswer } from './wire.js'

/** How long `close` waits for read marks to reach the server. */
const FLUSH_TIMEOUT_MS = 1_000
const RESTORE_TIMEOUT_MS = 3_000
const SYNC_RETRY_MS = 1_000
const DELIVERY_EVERY_MS = 50

export function createClient(options: ClientOptions): Client {
  const tokens = new Tokens(options.getToken)
  const cache = new Cache(tolerant(chooseStorage(options)))
  const me = new Value<Me | null>(null)
  const listeners = new Map<string, Set<(event: never) => void>>()
  let self: { user: string; device: string } | undefined
  let firstSync = deferred()
  const synced = deferred()
  let unwatchPage: (() => void) | undefined
  let connectedBefore = false
  let syncing: Promise<void> | undefined
  let syncOnceMore = false
  /** One object per `connect`, until the connection is closed. */
  let connecting: object | undefined

  const connection = new Connection({
    url: options.url,
    WebSocket: options.WebSocket ?? globalThis.WebSocket,
    tokens,
    since: () => rooms.commit,
    connected: welcomed,
    push: pushed,
  })
  const users = new UserCache(connection, cache)
  const restored = restore()
  const core: Core = { connection, cache, users, restored, synced: synced.promise, deliveryTurn: pacer(DELIVERY_EVERY_MS), self: () => self }
  const outbox = new Outbox(core)
  const rooms = new RoomList(core, outbox, options.language)
  const presence = new PresenceWatcher(connection)

  users.changed = changed => rooms.profilesChanged(changed)
  outbox.changed = room => rooms.viewChanged(room)
  outbox.accepted = message => rooms.handle(message.entry.room).accepted(message)
  connection.status.subscribe(({ state, error }) => {
    if (state === 'online') wentOnline()
    if (state !== 'closed') return
    connecting = undefined
    firstSync.reject(error ?? closedError())
  })

  /** Shows what was there at the last visit, before any answer. */
  async function restore(): Promise<void> {
    const cached = await cache.load()
    const user = self?.user ?? options.user
    if (!cached.me || (user !== undefined && cached.me.id !== user)) {
      await cache.disown({ outbox: cached.me !== undefined })
      // A connection was faster: what it has stored went with the rest.
      if (rooms.commit > 0) startAnew()
      const known = me.get()
      if (known) cache.save('me', known)
      return
    }
    // A connection was faster, and the history has changed.
    if (rooms.epoch !== undefined && cached.epoch !== rooms.epoch) {
      const gone = [...cached.rooms.map(({ id }) => id), ...cached.reads.map(([room]) => room)]
      return cache.dropRooms(gone.filter(id => !rooms.has(id)))
    }
    if (!self || self.user === cached.me?.id) rooms.restoreReads(cached.reads)
    // A connection was faster: what it told is newer.
    if (rooms.commit > 0) return
    if (cached.me) {
      self = { user: cached.me.id, device: cached.me.device.id }
      me.set(cached.me)
    }
    users.put(cached.users, false)
    rooms.restore(cached)
  }

  function welcomed({ user, device, sync }: Connected): void {
    if (self && self.user !== user) forget()
    self = { user, device }
    if (sync) applySync(sync)
  }

  function applySync(answer: SyncAnswer): void {
    // Another history: the server is another one, or was restored from a backup. What is known is worth nothing.
    if (rooms.commit > 0 && (answer.epoch !== rooms.epoch || answer.commit < rooms.commit)) {
      return startAnew()
    }
    rooms.apply(answer)
    if (answer.more) void syncAgain()
    else {
      firstSync.resolve()
      synced.resolve()
    }
  }

  function startAnew(): void {
    rooms.restart()
    void syncAgain()
  }

  /** Calls during a sync share it, and make it run once more. */
  function syncAgain(): Promise<void> {
    syncOnceMore = true
    return (syncing ??= syncAll().finally(() => (syncing = undefined)))
  }

  async function syncAll(): Promise<void> {
    while (syncOnceMore) {
      syncOnceMore = false
      await syncOnce()
    }
  }

  async function syncOnce(): Promise<void> {
    rooms.syncing()
    try {
      // After a loss the next connection syncs anyway.
      applySync(await connection.whenOnline().then(() => connection.request('sync', { since: rooms.commit })))
    } catch (thrown) {
      const error = toChatError(thrown)
      if (error.code !== 'network' && connection.online) setTimeout(() => void syncAgain(), error.retryAfterMs ?? SYNC_RETRY_MS)
    }
  }

  function wentOnline(): void {
    outbox.connected()
    if (connectedBefore) caughtUp()
    // What was read offline, before a reload.
    else void restored.then(flush)
    connectedBefore = true
    presence.reconnected()
    void outbox.adopt()
    connection.request('me.get', {}).then(setMe, () => {})
  }

  function caughtUp(): void {
    for (const handle of rooms.handles()) handle.caughtUp()
  }

  function pushed(push: Push): void {
    switch (push.push) {
      case 'event': {
        const { event } = push
        rooms.event(event)
        rooms.handle(event.room).event(event)
        emit(event.type, event as never)
        break
      }
      case 'cursor': {
        const { push: _, ...cursor } = push
        rooms.cursor(push)
        emit('cursor', cursor)
        break
      }
      case 'typing': {
        const { push: _, ...typing } = push
        if (push.user !== self?.user) rooms.handle(push.room).typing.heard(push.user, push.typing)
        emit('typing', typing)
        break
      }
      case 'presence':
        presence.apply([push.presence])
        emit('presence', push.presence)
        break
      case 'resync':
        void syncAgain().then(caughtUp)
        break
      case 'draining':
        break
    }
  }

  function emit<K extends keyof ClientEvents>(name: K, event: ClientEvents[K]): void {
    for (const listener of [...(listeners.get(name) ?? [])]) call(listener as (event: ClientEvents[K]) => void, event)
  }

  function setMe(next: Me): Me {
    cache.save('me', next)
    const { id, display_name, kind } = next
    users.put([{ id, display_name, kind }])
    me.set(next)
    return next
  }

  /** Forgets everything of the user who was signed in. */
  function forget(): void {
    self = undefined
    outbox.clear()
    rooms.clear()
    users.clear()
    presence.clear()
    me.set(null)
    void cache.clear()
  }

  async function flush(): Promise<void> {
    await Promise.all([...rooms.handles()].map(handle => handle.cursors.flush()))
  }

  /** A REST call as the signed-in user; a token that has ended is renewed once. */
  async function authorized(path: string, body?: unknown): Promise<void> {
    const post = (token: string) => rest<void>(options.url, 'POST', path, { token, body, language: options.language })
    try {
      await post(await tokens.get())
    } catch (error) {
      if (!needsToken(toChatError(error))) throw error
      await post(await tokens.get(true))
    }
  }

  function stop(discard: boolean): void {
    connecting = undefined
    unwatchPage?.()
    unwatchPage = undefined
    outbox.close()
    connection.close()
    tokens.clear()
    if (discard) cache.discard()
    else void cache.flush()
  }

  return {
    connection: connection.status,
    reconnect: () => connection.tryNow(),
    me,
    rooms,
    users,
    presence: ids => presence.store(ids),

    async connect() {
      if (connecting) return firstSync.promise
      const mine = (connecting = {})
      firstSync = deferred()
      const { promise } = firstSync
      unwatchPage?.()
      unwatchPage = watchPage({
        online: () => connection.wake(),
        offline: () => connection.networkLost(),
        visible: () => {
          connection.wake()
          void outbox.adopt()
        },
        hidden: () => {
          void flush()
          void cache.flush()
        },
      })
      outbox.start()
      cache.start()
      // A storage that hangs must not keep the client from the server.
      await Promise.race([restored.then(() => outbox.adopt()), sleep(RESTORE_TIMEOUT_MS)])
      // Unless it was closed meanwhile.
      if (connecting === mine) connection.open()
      return promise
    },

    async close({ discard = false } = {}) {
      if (connection.online && !discard) await Promise.race([flush(), sleep(FLUSH_TIMEOUT_MS)])
      stop(discard)
    },

    async logout() {
      try {
        await authorized('/v1/auth/logout')
      } catch (thrown) {
        // A device that is signed out already is what was wanted.
        const error = toChatError(thrown)
        if (!isSignedOut(error) && !needsToken(error)) throw error
      } finally {
        stop(true)
        forget()
        await cache.clear()
      }
    },

    devices: {
      list: async () => (await connection.call('device.list', {})).devices,
      revoke: async device => void (await connection.call('device.revoke', { device })),
    },

    updateProfile: async ({ displayName }) => setMe(await connection.call('me.update', { display_name: displayName })),

    async changePassword({ currentPassword, newPassword, revokeOtherDevices }) {
      await authorized('/v1/auth/password', {
        current_password: currentPassword,
        new_password: newPassword,
        revoke_other_devices: revokeOtherDevices,
      })
    },

    on(name, listener) {
      const set = listeners.get(name) ?? new Set()
      listeners.set(name, set)
      const own = (event: never) => listener(event)
      set.add(own)
      return () => set.delete(own)
    },
  }
}

function chooseStorage({ storage, url, user }: ClientOptions): ClientStorage {
  if (typeof storage === 'object') return storage
  const kind = storage ?? (globalThis.indexedDB ? 'indexeddb' : 'memory')
  return kind === 'memory' ? memoryStorage() : indexedDbStorage(`starling:${url}${user === undefined ? '' : `:${user}`}`)
}

function deferred(): { promise: Promise<void>; resolve(): void; reject(error: unknown): void } {
  let resolve!: () => void
  let reject!: (error: unknown) => void
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => {})
  return { promise, resolve, reject }
}
