// The SDK against the real server: what it is told is what it believes, through edits, marks and sudden deaths.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { auth, createClient, type Client, type RoomHandle, type Store, type Timeline } from '../../src/index.js'
import { ServerProcess } from './process.js'

let server: ServerProcess
let clients: Client[] = []
let users = 0

beforeAll(async () => {
  server = await ServerProcess.start()
})
afterEach(async () => {
  await Promise.all(clients.map(client => client.close()))
  clients = []
})
afterAll(() => server?.remove())

/** Waits until a store's value is as wanted. */
function until<T>(store: Store<T>, wanted: (value: T) => boolean, what: string, timeoutMs = 45_000): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      off()
      reject(new Error(`not within ${timeoutMs} ms: ${what}; last: ${JSON.stringify(store.get())?.slice(0, 2_000)}`))
    }, timeoutMs)
    let found = false
    const off = store.subscribe(value => {
      if (found || !wanted(value)) return
      found = true
      clearTimeout(timer)
      queueMicrotask(() => off())
      resolve(value)
    })
  })
}

async function person(name: string): Promise<{ id: string; client: Client }> {
  const id = `${name}${++users}`
  const session = await auth(server.url).register({ id, password: 'correct horse battery', displayName: name })
  let kept = session
  const client = createClient({
    url: server.url,
    storage: 'memory',
    getToken: async ({ expired }) => {
      if (expired) kept = await auth(server.url).refresh(kept.refresh_token)
      return kept.access_token
    },
  })
  clients.push(client)
  await client.connect()
  return { id, client }
}

/** Two people in their direct room, each with its timeline. */
async function pair(): Promise<{ ada: Side; bob: Side }> {
  const [one, two] = [await person('ada'), await person('bob')]
  const room = await one.client.rooms.open({ members: [two.id] })
  await until(two.client.rooms.list, rooms => rooms.some(({ id }) => id === room.id), 'the room at the other side')
  const side = ({ id, client }: { id: string; client: Client }): Side => {
    const own = client.rooms.get(room.id)
    return { id, client, room: own, timeline: own.timeline({ limit: 50 }) }
  }
  return { ada: side(one), bob: side(two) }
}

interface Side {
  id: string
  client: Client
  room: RoomHandle
  timeline: Timeline
}

const texts = (timeline: Timeline) => timeline.get().items.filter(({ kind }) => kind === 'message').map(({ content }) => content?.text)
const has = (side: Side, text: string) => until(side.timeline, ({ items }) => items.some(item => item.seq && item.content?.text === text), text)
const message = (side: Side, seq: number) => side.timeline.get().items.find(item => item.seq === seq)

test('messages, edits, reactions, deletions and marks reach the other side', async () => {
  const { ada, bob } = await pair()
  const { seq } = await ada.room.send('Hello', { data: { order: 42 } }).sent
  await has(bob, 'Hello')
  expect(bob.room.view.get()?.unread).toBe(1)
  await until(ada.timeline, () => message(ada, seq)?.status === 'delivered', 'delivered')
  bob.room.markRead()
  await until(bob.room.view, view => view?.unread === 0, 'nothing unread')
  await until(ada.timeline, () => message(ada, seq)?.status === 'read', 'read')

  await ada.room.edit(seq, 'Hello, Bob')
  await until(bob.timeline, () => message(bob, seq)?.edited === true, 'edited')
  expect(message(bob, seq)?.content).toMatchObject({ text: 'Hello, Bob', data: { order: 42 } })

  await Promise.all([bob.room.react(seq, '👍'), bob.room.react(seq, '🎉')])
  await until(ada.timeline, () => message(ada, seq)?.reactions.length === 2, 'reactions')
  await bob.room.react(seq, '👍')
  await until(ada.timeline, () => message(ada, seq)?.reactions.length === 1, 'one reaction taken back')
  expect(message(ada, seq)?.reactions).toEqual([{ key: '🎉', count: 1, mine: false }])

  const answer = await bob.room.send('Hi', { replyTo: seq }).sent
  await has(ada, 'Hi')
  expect(message(ada, answer.seq)?.replyTo).toBe(seq)

  await ada.room.delete(seq)
  await until(bob.timeline, () => message(bob, seq)?.deleted === true, 'deleted')
  expect(message(bob, seq)?.content).toBeUndefined()
  await expect(bob.room.edit(answer.seq + 1_000, 'x')).rejects.toMatchObject({ code: 'unknown_message' })
  await expect(ada.room.edit(answer.seq, 'x')).rejects.toMatchObject({ code: 'not_your_message' })
})

test('typing and presence are told', async () => {
  const { ada, bob } = await pair()
  const presence = ada.client.presence([bob.id])
  const off = presence.subscribe(() => {})
  await until(presence, known => known[bob.id]?.online === true, 'online')
  bob.room.typing.keystroke()
  await until(ada.room.typingUsers, users => users.some(({ id }) => id === bob.id), 'typing')
  bob.room.typing.stop()
  await until(ada.room.typingUsers, users => users.length === 0, 'stopped')
  await bob.client.close()
  await until(presence, known => known[bob.id]?.online === false, 'offline')
  off()
})

test('groups: invite, join, settings, members, leave', async () => {
  const [ada, bob] = [await person('ada'), await person('bob')]
  const room = await ada.client.rooms.create({ name: 'Garden', invite: [bob.id] })
  await until(bob.client.rooms.list, rooms => rooms.some(({ id, me }) => id === room.id && me?.state === 'invited'), 'invited')
  const bobs = bob.client.rooms.get(room.id)
  await bobs.join()
  await until(ada.client.rooms.get(room.id).view, view => view?.members === 2, 'two members')
  await room.update({ topic: 'Roses' })
  await until(bobs.view, view => view?.settings.topic === 'Roses', 'topic')
  expect((await bobs.members()).members.map(({ user, level }) => [user.id, level]).sort()).toEqual([[ada.id, 100], [bob.id, 10]].sort())
  await room.send('Welcome').sent
  await until(bobs.view, view => view?.unread === 1, 'unread')
  await expect(bobs.update({ topic: 'Weeds' })).rejects.toMatchObject({ code: 'level_too_low' })
  await bobs.leave()
  await until(bob.client.rooms.list, rooms => !rooms.some(({ id }) => id === room.id), 'left')
})

test('a long history is paged both ways', async () => {
  const { ada } = await pair()
  const sent = Array.from({ length: 180 }, (_, index) => `message ${index}`)
  const messages = sent.map(text => ada.room.send(text))
  await Promise.all(messages.map(({ sent }) => sent))
  expect(texts(ada.timeline).slice(-180)).toEqual(sent)
  const { seq } = await messages[90]!.sent
  const timeline = ada.room.timeline({ at: seq, limit: 20 })
  await until(timeline, ({ loading }) => !loading, 'opened')
  while (timeline.get().hasOlder) await timeline.loadOlder()
  while (timeline.get().hasNewer) await timeline.loadNewer()
  expect(texts(timeline)).toEqual(sent)
  timeline.close()
})

test('a revoked device is closed', async () => {
  const { ada } = await pair()
  const [device] = await ada.client.devices.list()
  await ada.client.devices.revoke(device!.id).catch(() => {})
  await until(ada.client.connection, ({ state }) => state === 'closed', 'closed')
})

test('the server killed in mid-conversation loses nothing and doubles nothing', async () => {
  const { ada, bob } = await pair()
  const expected: string[] = []
  const acknowledged: { seq: number; text: string }[] = []
  const all: Promise<unknown>[] = []
  const say = (side: Side, text: string) => {
    expected.push(text)
    all.push(side.room.send(text).sent.then(({ seq }) => acknowledged.push({ seq, text })))
  }
  for (let round = 0; round < 3; round++) {
    const killed = (async () => {
      await until(ada.timeline, () => acknowledged.length >= round * 100 + 10, 'some acknowledged')
      await server.kill()
    })()
    for (let index = 0; index < 50; index++) {
      say(ada, `ada ${round}.${index}`)
      say(bob, `bob ${round}.${index}`)
      await new Promise(resolve => setImmediate(resolve))
    }
    await killed
    const before = [...acknowledged]
    expect(before.length).toBeLessThan(expected.length)
    // Written while nobody answers.
    ada.room.markRead()
    await server.run()
    await Promise.all(all)
    for (const side of [ada, bob]) {
      await until(side.timeline, ({ items }) => items.filter(({ seq, kind }) => seq && kind === 'message').length === expected.length, 'all messages')
      for (const { seq, text } of before) expect(message(side, seq)?.content?.text).toBe(text)
    }
  }
  for (const side of [ada, bob]) {
    const shown = texts(side.timeline)
    expect([...shown].sort()).toEqual([...expected].sort())
    for (const name of ['ada', 'bob']) {
      const own = (list: (string | undefined)[]) => list.filter(text => text?.startsWith(name))
      expect(own(shown)).toEqual(own(expected))
    }
  }
  // A fresh reader is told the same.
  const fresh = ada.room.timeline({ limit: 200 })
  await until(fresh, ({ loading, items }) => !loading && items.length > 0, 'opened')
  while (fresh.get().hasOlder) await fresh.loadOlder()
  expect(texts(fresh)).toEqual(texts(ada.timeline))
})

test('the server stopped gently is found again', async () => {
  const { ada, bob } = await pair()
  await server.kill('SIGTERM')
  const message = ada.room.send('are you there?')
  await server.run()
  await message.sent
  await has(bob, 'are you there?')
})
