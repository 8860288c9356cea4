// What was kept and must not be used: of somebody else, or of a server that was restored from a backup, whose numbers mean
// something else.

import { describe, expect, test } from 'vitest'
import { sleep } from '../src/backoff.js'
import { memoryStorage, type ClientStorage } from '../src/storage.js'
import { lines, pass, settle, virtualTime, world } from './world.js'

virtualTime()

test('another history replaces what was kept of the one before, and what is to be sent stays', async () => {
  const { server, online, client } = world('ada', 'bob')
  const room = server.addRoom('garden', ['ada', 'bob'])
  server.addRoom('cellar', ['ada'])
  for (const text of ['one', 'two', 'three']) server.say('garden', 'bob', text)
  const storage = memoryStorage()
  const ada = await online('ada', { storage })
  const seen = ada.rooms.get('garden').timeline()
  await pass(1_000)
  expect(lines(seen).at(-1)).toContain('three')
  server.down = true
  server.breakConnections()
  await settle()
  ada.rooms.get('garden').send('mine')
  ada.rooms.get('garden').markRead(4)
  await pass(1_000)
  await ada.close()
  // Restored from a backup without the last two messages and the other room, after which others came: numbers go on
  // beyond those known, and mean something else.
  room.log.splice(2)
  server.rooms.delete('cellar')
  for (const text of ['uno', 'dos', 'tres', 'cuatro']) server.say('garden', 'bob', text)
  server.epoch = 'second'
  server.down = false
  server.requests.length = 0
  const again = client('ada', { storage })
  void again.connect()
  const timeline = again.rooms.get('garden').timeline()
  await pass(2_000)
  const since = server.requests.filter(({ op }) => op === 'connect' || op === 'sync').map(({ params }) => params.since)
  expect(since.slice(1)).toEqual([0])
  expect(since[0]).toBeGreaterThan(0)
  expect(again.rooms.list.get().map(({ id }) => id)).toEqual(['garden'])
  expect(server.texts('garden')).toEqual(['one', 'uno', 'dos', 'tres', 'cuatro', 'mine'])
  expect(lines(timeline).slice(1).map(line => line.split(' ')[2])).toEqual(['one', 'uno', 'dos', 'tres', 'cuatro', 'mine'])
  expect(server.requestsOf('cursor.set', 'ada').filter(({ read }) => read === 4)).toEqual([])
  await again.close()
  expect((await storage.list('room:')).map(([key]) => key)).toEqual(['room:garden'])
  expect([await storage.get('epoch'), await storage.list('read:')]).toEqual(['second', []])
  // From here on it is a history like any other.
  server.requests.length = 0
  await online('ada', { storage })
  expect(server.requestsOf('sync')).toEqual([])
})

describe('what was kept of somebody else', () => {
  /** What Bob is shown, offline and then online, over a storage that Ada left, changed by `left`. */
  async function shownToBob(left: (storage: ClientStorage) => Promise<void>, options: { user?: string; storageMs?: number } = {}) {
    const { server, online, client } = world('ada', 'bob')
    server.addRoom('secret', ['ada'])
    server.addRoom('garden', ['ada', 'bob'])
    server.say('garden', 'ada', 'hello')
    const storage = memoryStorage()
    const ada = await online('ada', { storage })
    ada.rooms.get('secret').timeline()
    await pass(1_000)
    await ada.close()
    await left(storage)
    const slow: ClientStorage = { ...storage, list: prefix => sleep(options.storageMs ?? 0).then(() => storage.list(prefix)) }
    server.down = true
    const bob = client('bob', { storage: slow, ...(options.user ? { user: options.user } : {}) })
    bob.connect().catch(() => {})
    await settle()
    const rooms = () => bob.rooms.list.get().map(({ id }) => id)
    const offline = rooms()
    server.down = false
    await pass(30_000)
    const kept = (await storage.list('')).map(([key]) => key).filter(key => key.includes('secret') || key.startsWith('out:'))
    const shown = { offline, online: rooms(), kept, me: bob.me.get()?.id }
    await bob.close()
    // What he keeps is whole.
    server.down = true
    const again = client('bob', { storage })
    again.connect().catch(() => {})
    await settle()
    expect(again.rooms.list.get().map(({ id }) => id)).toEqual(shown.online)
    return shown
  }
  const bobs = { offline: [], online: ['garden'], kept: [], me: 'bob' }

  test('is not shown when it is known who signs in', async () => {
    expect(await shownToBob(async storage => storage.set([['out:x', {}]]), { user: 'bob' })).toEqual(bobs)
  })

  test('is not shown when nobody knows whose it is', async () => {
    expect(await shownToBob(async storage => storage.set([['me', undefined]]))).toEqual(bobs)
  })

  test('is not shown when the storage is slower than the server', async () => {
    expect(await shownToBob(async () => {}, { storageMs: 8_000 })).toEqual(bobs)
  })
})

test('reasons to sync again share one sync, and one after it', async () => {
  const { server, online } = world('ada', 'bob')
  server.addRoom('garden', ['ada', 'bob'])
  const ada = await online('ada')
  server.slowness.sync = 50
  for (let count = 0; count < 5; count++) for (const socket of server.sockets) socket.deliver({ push: 'resync' })
  await pass(30)
  server.muted.add('ada')
  server.addRoom('cellar', ['ada', 'bob'])
  await pass(500)
  expect(server.requestsOf('sync')).toHaveLength(2)
  expect(ada.rooms.list.get().map(({ id }) => id).sort()).toEqual(['cellar', 'garden'])
})

test('changes of the history before are not folded into the one after', async () => {
  const { server, online } = world('ada', 'bob')
  const room = server.addRoom('garden', ['ada', 'bob'])
  for (const text of ['one', 'two', 'three']) server.say('garden', 'bob', text)
  const ada = await online('ada')
  const timeline = ada.rooms.get('garden').timeline()
  await settle()
  server.append('garden', 'bob', { type: 'message.deleted', target: 2 })
  server.append('garden', 'bob', { type: 'message.deleted', target: 3 })
  await settle()
  server.down = true
  server.breakConnections()
  room.log.splice(3)
  server.epoch = 'second'
  server.down = false
  await pass(5_000)
  expect(lines(timeline)).toEqual(['1 ada: room.created', '2 bob: one', '3 bob: two'])
})
