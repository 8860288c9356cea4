import { describe, expect, test, vi } from 'vitest'
import { ChatError } from '../src/index.js'
import { memoryStorage } from '../src/storage.js'
import { pass, settle, virtualTime, world } from './world.js'

virtualTime()

describe('connecting', () => {
  test('ends in the first sync, with rooms and the own account', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    server.say('garden', 'bob', 'Hello')
    const ada = await online('ada')
    expect(ada.connection.get()).toEqual({ state: 'online' })
    expect(ada.rooms.list.get()).toMatchObject([{ id: 'garden', title: 'garden', unread: 1, pending: 0 }])
    expect(ada.me.get()).toMatchObject({ id: 'ada', display_name: 'Ada' })
  })

  test('asks again while there is more to sync', async () => {
    const { server, online } = world('ada')
    server.syncRoomsMax = 2
    for (const id of ['a', 'b', 'c', 'd', 'e']) server.addRoom(id, ['ada'])
    const ada = await online('ada')
    expect(ada.rooms.list.get().map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(server.requestsOf('sync')).toHaveLength(2)
  })

  test('calls made before wait instead of failing', async () => {
    const { server, client } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    const ada = client('ada')
    const members = ada.rooms.get('garden').members()
    const message = ada.rooms.get('garden').send('early')
    await settle()
    expect(message.get().status).toBe('queued')
    void ada.connect()
    await settle()
    expect((await members).members.map(({ user }) => user.id)).toEqual(['ada', 'bob'])
    expect(await message.sent).toMatchObject({ seq: 3 - 1 })
  })

  test('two calls are one, and it works again after close', async () => {
    const { server, client } = world('ada')
    const ada = client('ada')
    const first = ada.connect()
    const closed = expect(first).rejects.toMatchObject({ code: 'closed' })
    void ada.close()
    await closed
    const again = Promise.all([ada.connect(), ada.connect()])
    await settle()
    await again
    expect(server.attempts).toBe(1)
    expect(ada.connection.get().state).toBe('online')
  })
})

describe('coming back', () => {
  test('at once when somebody asks for it', async () => {
    const { server, online } = world('ada')
    const ada = await online('ada')
    server.down = true
    server.breakConnections()
    await pass(20_000)
    const { state, retryAt } = ada.connection.get()
    expect(state).toBe('reconnecting')
    expect(retryAt! - Date.now()).toBeGreaterThan(1_000)
    // In vain: the next waits are short again.
    ada.reconnect()
    await pass(50)
    expect(ada.connection.get().state).toBe('reconnecting')
    expect(ada.connection.get().retryAt! - Date.now()).toBeLessThan(2_000)
    server.down = false
    ada.reconnect()
    await pass(50)
    expect(ada.connection.get()).toEqual({ state: 'online' })
    // With nothing to do, or after the end, it does nothing.
    ada.reconnect()
    await settle()
    expect(ada.connection.get()).toEqual({ state: 'online' })
    await ada.close()
    ada.reconnect()
    await settle()
    expect(ada.connection.get().state).toBe('closed')
  })

  test('with growing waits, at most 30 s', async () => {
    const { server, online } = world('ada')
    const ada = await online('ada')
    server.down = true
    await pass(10_000)
    server.breakConnections()
    await settle()
    const waits: number[] = []
    for (let attempt = 0; attempt < 8; attempt++) {
      const { state, retryAt, error } = ada.connection.get()
      expect(state).toBe('reconnecting')
      expect(error).toBeInstanceOf(ChatError)
      const before = server.attempts
      const start = Date.now()
      await pass(retryAt! - start + 20)
      expect(server.attempts).toBe(before + 1)
      waits.push(Math.round((retryAt! - start) / 1_000))
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30, 30])
    server.down = false
    await pass(30_000)
    expect(ada.connection.get().state).toBe('online')
  })

  test('at once when the network is back', async () => {
    const page = new EventTarget()
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page))
    const device = { onLine: true }
    vi.stubGlobal('navigator', device)
    try {
      const { server, online } = world('ada')
      const ada = await online('ada')
      server.down = true
      device.onLine = false
      page.dispatchEvent(new Event('offline'))
      await settle()
      expect(ada.connection.get().state).toBe('offline')
      await pass(100_000)
      expect(ada.connection.get().state).toBe('offline')
      server.down = false
      device.onLine = true
      const before = server.attempts
      page.dispatchEvent(new Event('online'))
      await settle()
      expect(server.attempts).toBe(before + 1)
      expect(ada.connection.get().state).toBe('online')
      await ada.close()
    } finally {
      vi.unstubAllGlobals()
    }
  })

  test('asks only for what changed since', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    const ada = await online('ada')
    server.breakConnections('ada')
    server.say('garden', 'bob', 'while you were away')
    await pass(5_000)
    expect(server.requestsOf('connect').map(({ since }) => since > 0)).toEqual([false, true])
    expect(ada.rooms.list.get()[0]).toMatchObject({ unread: 1, head: 2 })
  })

  test('after a silence that a ping does not break', async () => {
    const { server, online } = world('ada')
    const ada = await online('ada')
    server.script = op => (op === 'ping' ? 'ignore' : 'usual')
    await pass(20_000 + 15_000 + 500)
    expect(ada.connection.get().state).not.toBe('online')
    server.script = () => 'usual'
    await pass(5_000)
    expect(ada.connection.get().state).toBe('online')
  })

  test('when the draining server said, not before', async () => {
    const { server, online } = world('ada')
    const ada = await online('ada')
    for (const socket of server.sockets) socket.deliver({ push: 'draining', reconnect_after_ms: 7_000 })
    await settle()
    server.breakConnections()
    await pass(6_000)
    expect(server.attempts).toBe(1)
    await pass(1_500)
    expect(ada.connection.get().state).toBe('online')
  })
})

describe('tokens', () => {
  test('are renewed before they end, on the same connection', async () => {
    const { server, online } = world('ada')
    server.tokenLifetimeMs = 300_000
    server.tokens.set('fresh', { user: 'ada', device: 'device-ada' })
    const asked: (boolean | undefined)[] = []
    const getToken = async ({ expired }: { expired?: boolean }) => {
      asked.push(expired)
      return expired ? 'fresh' : 'token-ada'
    }
    const ada = await online('ada', { getToken })
    await pass(241_000)
    expect(asked).toEqual([false, true])
    expect(server.requestsOf('token.renew')).toEqual([{ token: 'fresh' }])
    expect(server.attempts).toBe(1)
    expect(ada.connection.get().state).toBe('online')
  })

  test('that have expired are asked for anew once', async () => {
    const { server, online } = world('ada')
    const getToken = async ({ expired }: { expired?: boolean }) => (expired ? 'token-ada' : 'old')
    const ada = await online('ada', { getToken })
    expect(ada.connection.get().state).toBe('online')
    expect(server.requestsOf('connect').map(({ token }) => token)).toEqual(['old', 'token-ada'])
  })

  test('that are refused even when fresh end the connection', async () => {
    const { server, client } = world('ada')
    const ada = client('ada', { getToken: async () => 'never' })
    const refused = expect(ada.connect()).rejects.toMatchObject({ code: 'token_expired' })
    await pass(10_000)
    await refused
    expect(server.attempts).toBe(2)
    expect(ada.connection.get()).toMatchObject({ state: 'closed', error: { code: 'token_expired' } })
  })

  test('of a revoked device end the connection, and calls fail', async () => {
    const { server, online } = world('ada')
    const ada = await online('ada')
    server.revoked.add('device-ada')
    server.breakConnections('ada', 4401)
    await pass(5_000)
    expect(ada.connection.get()).toMatchObject({ state: 'closed', error: { code: 'token_revoked' } })
    await expect(ada.devices.list()).rejects.toMatchObject({ code: 'token_revoked' })
  })
})

test.each(['pagehide', 'visibilitychange'])('what was gathered is written when the page goes: %s', async name => {
  const page = new EventTarget()
  vi.stubGlobal('document', Object.assign(page, { visibilityState: 'visible' }))
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page))
  const { server, online } = world('ada', 'bob')
  server.addRoom('garden', ['ada', 'bob'])
  const storage = memoryStorage()
  const ada = await online('ada', { storage })
  await pass(1_000)
  ada.rooms.get('garden').timeline()
  await settle()
  await pass(1_000)
  server.say('garden', 'bob', 'last words')
  await pass(20)
  ada.rooms.get('garden').markRead()
  expect(JSON.stringify(await storage.list(''))).not.toContain('last words')
  Object.assign(page, { visibilityState: 'hidden' })
  page.dispatchEvent(new Event(name))
  await pass(0)
  expect(JSON.stringify(await storage.list('room:'))).toContain('last words')
  expect(JSON.stringify(await storage.list('page:'))).toContain('last words')
  // Written at once: the answer to the mark may never be seen.
  expect(await storage.list('read:')).toEqual([['read:garden', 2]])
  await pass(20)
  expect(server.rooms.get('garden')!.cursors.get('ada')!.read).toBe(2)
  const closing = ada.close()
  await settle()
  await closing
  vi.unstubAllGlobals()
})
