// A fake server with clients, in virtual time.

import { vi, afterEach, beforeEach } from 'vitest'
import { createClient, type Client, type ClientOptions, type Timeline } from '../src/index.js'
import { memoryStorage } from '../src/storage.js'
import { FakeServer } from './fake-server.js'

export interface World {
  server: FakeServer
  /** A client of a user, not connected. */
  client(user: string, options?: Partial<ClientOptions>): Client
  /** A client of a user, connected. */
  online(user: string, options?: Partial<ClientOptions>): Promise<Client>
}

/** Lets virtual time pass, with everything that happens in it. */
export const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

/** Long enough for a few round trips, too short for any timer of the client. */
export const settle = (): Promise<unknown> => pass(100)

export function world(...users: string[]): World {
  const server = new FakeServer()
  for (const user of users) server.addUser(user)
  const client = (user: string, options: Partial<ClientOptions> = {}): Client => {
    const made = createClient({
      url: 'https://chat.test',
      getToken: async () => `token-${user}`,
      storage: memoryStorage(),
      WebSocket: server.WebSocket,
      ...options,
    })
    clients.push(made)
    return made
  }
  return {
    server,
    client,
    async online(user, options) {
      const made = client(user, options)
      const connected = made.connect()
      await settle()
      await connected
      return made
    },
  }
}

let clients: Client[] = []

/** To be called once per test file. */
export function virtualTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_800_000_000_000 })
    // The longest wait of the jitter: the tests know when an attempt comes at the latest.
    vi.spyOn(Math, 'random').mockReturnValue(0.999)
  })
  afterEach(async () => {
    const closing = Promise.all(clients.map(client => client.close()))
    await pass(2_000)
    await closing
    clients = []
    vi.restoreAllMocks()
    vi.useRealTimers()
  })
}

/** A timeline as lines to read: `12 bob: Hello (edited) [👍2] read`. */
export function lines(timeline: Timeline): string[] {
  return timeline.get().items.map(item => {
    const parts = [item.seq ?? '-', `${item.sender}:`]
    if (item.kind === 'notice') parts.push(item.event!.type)
    else parts.push(item.deleted ? '(deleted)' : item.content!.text)
    if (item.edited) parts.push('(edited)')
    if (item.reactions.length > 0) parts.push(`[${item.reactions.map(({ key, count, mine }) => `${key}${count}${mine ? '*' : ''}`).join(' ')}]`)
    if (item.status) parts.push(item.status)
    return parts.join(' ')
  })
}

