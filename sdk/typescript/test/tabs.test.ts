import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { memoryStorage } from '../src/storage.js'
import { pass, settle, virtualTime, world } from './world.js'

virtualTime()

/** Locks as of one browser: exclusive, in order, until the callback's promise settles. */
function browserLocks() {
  const queues = new Map<string, Promise<unknown>>()
  const held: { name: string }[] = []
  return {
    async request<T>(name: string, run: () => Promise<T>): Promise<T> {
      const before = queues.get(name) ?? Promise.resolve()
      const mine = before.then(async () => {
        const lock = { name }
        held.push(lock)
        try {
          return await run()
        } finally {
          held.splice(held.indexOf(lock), 1)
        }
      })
      queues.set(name, mine.catch(() => {}))
      return mine
    },
    query: async () => ({ held: [...held], pending: [] }),
  }
}

beforeEach(() => void vi.stubGlobal('navigator', { locks: browserLocks() }))
afterEach(() => void vi.unstubAllGlobals())

test('a tab leaves the messages of a living one alone and adopts those of a dead one', async () => {
  const { server, online } = world('ada', 'bob')
  server.addRoom('garden', ['ada', 'bob'])
  const storage = memoryStorage()
  const first = await online('ada', { storage })
  let hold = true
  server.script = op => (op === 'message.send' && hold ? 'ignore' : 'usual')
  const ids = ['one', 'two'].map(text => first.rooms.get('garden').send(text).clientId)
  await settle()

  hold = false
  const second = await online('ada', { storage })
  await settle()
  expect(server.requestsOf('message.send').map(({ client_id }) => client_id)).toEqual(ids)
  expect(second.rooms.get('garden').view.get()!.pending).toBe(0)

  // The first tab dies; the second notices when it connects again.
  void first.close()
  await settle()
  server.breakConnections('ada')
  await pass(5_000)
  expect(server.texts('garden')).toEqual(['one', 'two'])
  expect(server.requestsOf('message.send').map(({ client_id }) => client_id)).toEqual([...ids, ...ids])
  expect(await storage.list('out:')).toEqual([])
})

test('without locks, what its own tab has sent or taken back is not sent again by another', async () => {
  vi.stubGlobal('navigator', {})
  const { server, online, client } = world('ada', 'bob')
  server.addRoom('garden', ['ada', 'bob'])
  const storage = memoryStorage()
  const first = await online('ada', { storage })
  server.script = op => (op === 'message.send' ? 'ignore' : 'usual')
  const messages = ['one', 'two', 'three'].map(text => first.rooms.get('garden').send(text))
  await settle()
  await pass(1_000)
  // The second tab adopts them before it is online.
  server.down = true
  const second = client('ada', { storage })
  second.connect().catch(() => {})
  await settle()
  expect(second.rooms.get('garden').view.get()!.pending).toBe(3)
  messages[1]!.cancel()
  server.script = () => 'usual'
  server.down = false
  const own = second.rooms.get('garden').send('own')
  await pass(40_000)
  expect(server.texts('garden')).toEqual(['one', 'three', 'own'])
  expect([first, second].map(tab => tab.rooms.get('garden').view.get()!.pending)).toEqual([0, 0])
  expect(own.get().status).toBe('sent')
})

test('the same message sent by two tabs is one message', async () => {
  vi.stubGlobal('navigator', {})
  const { server, online } = world('ada', 'bob')
  server.addRoom('garden', ['ada', 'bob'])
  const storage = memoryStorage()
  const first = await online('ada', { storage })
  server.script = op => (op === 'message.send' ? 'ignore' : 'usual')
  first.rooms.get('garden').send('once')
  await settle()
  server.script = () => 'usual'
  const second = await online('ada', { storage })
  await pass(30_000)
  expect(server.texts('garden')).toEqual(['once'])
  expect([first, second].map(tab => tab.rooms.get('garden').view.get()!.pending)).toEqual([0, 0])
})
