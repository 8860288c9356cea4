// A server that was restored from a backup: its numbers mean something else than those that were kept.

import { expect, test } from 'vitest'
import { memoryStorage } from '../src/storage.js'
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
