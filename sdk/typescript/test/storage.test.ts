import 'fake-indexeddb/auto'
import { describe, expect, test, vi } from 'vitest'
import { createClient } from '../src/index.js'
import { indexedDbStorage, memoryStorage, tolerant, type ClientStorage } from '../src/storage.js'

// Both storages keep the same promises.
const storages: [string, () => ClientStorage][] = [
  ['in memory', memoryStorage],
  ['in IndexedDB', () => indexedDbStorage(`test-${Math.random()}`)],
]

describe.each(storages)('a storage %s', (_, make) => {
  test('keeps, lists by key, deletes and clears', async () => {
    const storage = make()
    expect(await storage.get('room:b')).toBeUndefined()
    await storage.set([['room:b', { n: 2 }], ['room:a', { n: 1 }], ['rooms', 0], ['out:x', 'y']])
    expect(await storage.get('room:b')).toEqual({ n: 2 })
    expect(await storage.list('room:')).toEqual([['room:a', { n: 1 }], ['room:b', { n: 2 }]])
    await storage.set([['room:a', undefined], ['room:c', { n: 3 }]])
    expect(await storage.list('room:')).toEqual([['room:b', { n: 2 }], ['room:c', { n: 3 }]])
    await storage.clear()
    expect(await storage.list('')).toEqual([])
  })

  test('takes calls in their order, and copies', async () => {
    const storage = make()
    const value = { n: 1 }
    const writing = [storage.set([['a', value]]), storage.set([['a', undefined]]), storage.set([['a', value], ['b', value]]), storage.set([['b', undefined]])]
    value.n = 2
    await Promise.all(writing)
    expect(await storage.list('')).toHaveLength(1)
    const read = (await storage.get('a')) as { n: number }
    read.n = 3
    expect(((await storage.get('a')) as { n: number }).n).not.toBe(3)
  })
})

test('IndexedDB is found again by its name', async () => {
  await indexedDbStorage('again').set([['a', 1]])
  expect(await indexedDbStorage('again').get('a')).toBe(1)
})

test('IndexedDB is opened anew after it was deleted', async () => {
  const storage = indexedDbStorage('deleted')
  await storage.set([['a', 1]])
  await new Promise(resolve => (indexedDB.deleteDatabase('deleted').onsuccess = resolve))
  expect(await storage.get('a')).toBeUndefined()
  await storage.set([['a', 2]])
  expect(await storage.get('a')).toBe(2)
})

test('each user of a browser has a database of their own', async () => {
  const getToken = () => Promise.reject(new Error('not asked'))
  for (const user of ['ada', 'bob']) createClient({ url: 'https://chat.test', getToken, user })
  await vi.waitFor(async () => {
    const names = (await indexedDB.databases()).map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['starling:https://chat.test:ada', 'starling:https://chat.test:bob']))
  })
})

test('a storage that fails gives nothing and does not throw', async () => {
  const broken = () => Promise.reject(new Error('no space'))
  const storage = tolerant({ get: broken, list: broken, set: broken, clear: broken })
  await storage.set([['a', 1]])
  expect(await storage.get('a')).toBeUndefined()
  expect(await storage.list('')).toEqual([])
})
