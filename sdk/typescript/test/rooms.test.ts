import { describe, expect, test } from 'vitest'
import type { Room } from '../src/index.js'
import { memoryStorage } from '../src/storage.js'
import { lines, pass, settle, virtualTime, world } from './world.js'

virtualTime()

describe('the room list', () => {
  test('is ordered by the last message and titled by the other person', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    server.addRoom('ada-bob', ['ada', 'bob'], 'direct')
    const ada = await online('ada')
    const titles = () => ada.rooms.list.get().map(({ title }) => title)
    await pass(10)
    server.say('garden', 'bob', 'first')
    await settle()
    expect(titles()).toEqual(['garden', 'Bob'])
    server.say('ada-bob', 'bob', 'second')
    await settle()
    expect(titles()).toEqual(['Bob', 'garden'])
  })

  test('shows invitations and forgets rooms that were left', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada'])
    const [ada, bob] = [await online('ada'), await online('bob')]
    void ada.rooms.get('garden').invite('bob')
    await pass(1_000)
    expect(bob.rooms.list.get()).toMatchObject([{ id: 'garden', me: { state: 'invited' }, unread: 0 }])
    void bob.rooms.get('garden').leave()
    await settle()
    expect(bob.rooms.list.get()).toEqual([])
  })

  test('titles a group without a name by three of its other members, and asks once', async () => {
    const { server, online, client } = world('ada', 'bob', 'cyd', 'dan', 'eve')
    const room = server.addRoom('garden', ['ada', 'dan', 'cyd', 'bob', 'eve'])
    room.settings = {}
    room.members.set('bob', 'invited')
    const storage = memoryStorage()
    const ada = await online('ada', { storage })
    const garden = () => ada.rooms.list.get()[0]!
    // Not before somebody looks.
    expect(server.requestsOf('member.list')).toEqual([])
    ada.rooms.list.subscribe(() => {})
    await settle()
    expect(garden()).toMatchObject({ title: 'Dan, Cyd, Eve', names: ['Dan', 'Cyd', 'Eve'] })
    server.say('garden', 'dan', 'hi')
    await settle()
    expect(server.requestsOf('member.list')).toHaveLength(1)
    // Who leaves is no longer named; a name comes first.
    room.members.set('dan', 'left')
    server.append('garden', 'dan', { type: 'member.updated', user: 'dan', state: 'left', level: 10 })
    await pass(1_000)
    expect(garden().title).toBe('Cyd, Eve, Bob')
    await ada.close()
    server.down = true
    const reloaded = client('ada', { storage, language: 'zh' })
    void reloaded.connect()
    await settle()
    expect(reloaded.rooms.list.get()[0]!.title).toBe('Cyd、Eve、Bob')
    server.down = false
    server.append('garden', 'cyd', { type: 'room.updated', settings: { name: 'Garden' } })
    await pass(5_000)
    expect(reloaded.rooms.list.get()[0]).toMatchObject({ title: 'Garden' })
    expect(reloaded.rooms.list.get()[0]!.names).toBeUndefined()
  })

  test('follows settings', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    const ada = await online('ada')
    server.append('garden', 'bob', { type: 'room.updated', settings: { topic: 'Roses' } })
    await settle()
    expect(ada.rooms.list.get()[0]!.settings).toEqual({ name: 'garden', topic: 'Roses' })
    server.append('garden', 'bob', { type: 'room.updated', settings: { name: 'Yard', topic: '' } })
    await settle()
    expect(ada.rooms.list.get()[0]).toMatchObject({ title: 'Yard', settings: { name: 'Yard' } })
    expect(ada.rooms.list.get()[0]!.settings).not.toHaveProperty('topic')
  })

  test('shows the last message as it is now', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    const ada = await online('ada')
    const { seq } = server.say('garden', 'bob', 'first')
    server.append('garden', 'bob', { type: 'message.edited', target: seq, content: { type: 'text', text: 'edited', format: 'plain' } })
    await settle()
    expect(ada.rooms.list.get()[0]!.last_message).toMatchObject({ content: { text: 'edited' } })
  })

  test('opens direct rooms and new groups', async () => {
    const { server, online } = world('ada', 'bob', 'cleo')
    const ada = await online('ada')
    const direct = ada.rooms.open({ members: ['bob'] })
    const group = ada.rooms.create({ name: 'Garden', joinRule: 'open', invite: ['bob', 'cleo'] })
    await settle()
    expect((await direct).view.get()).toMatchObject({ kind: 'direct', title: 'Bob' })
    expect((await group).view.get()).toMatchObject({ kind: 'group', title: 'Garden' })
    expect(server.requestsOf('room.create')).toMatchObject([{ settings: { name: 'Garden', join_rule: 'open' }, invite: ['bob', 'cleo'] }])
  })

  // An old state plus what was pushed must be what the server tells anew.
  test('kept up by pushes is what a fresh client gets', async () => {
    const { server, online } = world('ada', 'bob', 'cleo')
    server.addRoom('garden', ['ada', 'bob', 'cleo'])
    server.addRoom('ada-bob', ['ada', 'bob'], 'direct')
    const [ada, bob] = [await online('ada'), await online('bob')]
    ada.rooms.get('garden').send('one')
    bob.rooms.get('garden').send('two')
    bob.rooms.get('ada-bob').send('three')
    await settle()
    void bob.rooms.get('garden').edit(2 + 1, 'two!')
    void ada.rooms.get('garden').react(3, '👍')
    ada.rooms.get('ada-bob').markRead()
    // Something is missed; what comes after it shows that.
    server.muted.add('ada')
    server.append('garden', 'cleo', { type: 'room.updated', settings: { topic: 'Roses' } })
    server.muted.delete('ada')
    server.say('garden', 'cleo', 'four')
    await pass(5_000)
    const fresh = await online('ada')
    await pass(5_000)
    // Moves of others' cursors are commits too, but change nothing here.
    const plain = (rooms: Room[]) => rooms.map(room => ({ ...room, commit: 0 }))
    expect(plain(ada.rooms.list.get())).toEqual(plain(fresh.rooms.list.get()))
  })
})

describe('unread', () => {
  test('counts messages, not events, and own ones never', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    const ada = await online('ada')
    const unread = () => ada.rooms.list.get()[0]!.unread
    const event = server.say('garden', 'bob', 'one')
    server.append('garden', 'bob', { type: 'message.edited', target: event.seq, content: { type: 'text', text: 'one!', format: 'plain' } })
    server.say('garden', 'bob', 'two')
    await settle()
    expect(unread()).toBe(2)
    // Told again, an event changes nothing.
    server.pushTo('garden', { push: 'event', event })
    await settle()
    expect(unread()).toBe(2)
    ada.rooms.get('garden').send('mine')
    await settle()
    expect(unread()).toBe(0)
  })

  test('ends by markRead, which gathers', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    const ada = await online('ada')
    const room = ada.rooms.get('garden')
    for (const text of ['one', 'two', 'three']) server.say('garden', 'bob', text)
    await settle()
    for (const seq of [2, 3]) room.markRead(seq)
    await pass(200)
    room.markRead(2)
    await pass(400)
    expect(server.requestsOf('cursor.set', 'ada').filter(({ read }) => read)).toEqual([{ room: 'garden', read: 3 }])
    expect(room.view.get()!.unread).toBe(1)
    room.markRead()
    const closing = ada.close()
    await settle()
    await closing
    expect(server.rooms.get('garden')!.cursors.get('ada')!.read).toBe(4)
  })

  test('read marks made offline reach the server later', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    server.say('garden', 'bob', 'one')
    const ada = await online('ada')
    server.down = true
    server.breakConnections('ada')
    await settle()
    ada.rooms.get('garden').markRead()
    await pass(1_000)
    server.down = false
    await pass(10_000)
    expect(server.rooms.get('garden')!.cursors.get('ada')!.read).toBe(2)
  })

  test('read marks made offline survive a reload, and only move forward', async () => {
    const { server, online, client } = world('ada', 'bob')
    const room = server.addRoom('garden', ['ada', 'bob'])
    for (let seq = 2; seq <= 10; seq++) server.say('garden', 'bob', `m${seq}`)
    const storage = memoryStorage()
    const ada = await online('ada', { storage })
    server.down = true
    server.breakConnections('ada')
    await settle()
    ada.rooms.get('garden').markRead(8)
    ada.rooms.get('garden').markRead(6)
    await pass(1_000)
    await ada.close()
    expect(await storage.list('read:')).toEqual([['read:garden', 8]])
    const reloaded = client('ada', { storage })
    void reloaded.connect()
    const timeline = reloaded.rooms.get('garden').timeline({ at: 'first-unread' })
    await settle()
    server.down = false
    await pass(5_000)
    expect(room.cursors.get('ada')).toMatchObject({ read: 8 })
    expect(server.requestsOf('cursor.set', 'ada').filter(({ read }) => read)).toEqual([{ room: 'garden', read: 8 }])
    expect(reloaded.rooms.list.get()[0]!.unread).toBe(2)
    expect(timeline.get().unreadAt).toBe(9)
    expect(await storage.list('read:')).toEqual([])
  })

  test('read marks that came too late for the server are dropped', async () => {
    const { server, client, online } = world('ada', 'bob')
    const room = server.addRoom('garden', ['ada', 'bob'])
    server.say('garden', 'bob', 'hi')
    server.addRoom('cellar', ['bob'])
    const storage = memoryStorage()
    await (await online('ada', { storage })).close()
    await storage.set([['read:garden', 2], ['read:cellar', 5]])
    room.cursors.set('ada', { delivered: 2, read: 2, read_messages: 1 })
    room.commit = 1_000
    const reloaded = client('ada', { storage })
    void reloaded.connect()
    await pass(2_000)
    expect(server.requestsOf('cursor.set', 'ada').filter(({ read }) => read)).toEqual([{ room: 'cellar', read: 5 }])
    expect(await storage.list('read:')).toEqual([])
  })

  test('says whether it is for the user', async () => {
    const { server, online, client } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    const storage = memoryStorage()
    const ada = await online('ada', { storage })
    const mentioned = (who = ada) => who.rooms.list.get()[0]!.mentioned
    const call = (users: string[]) => {
      const content = { type: 'text' as const, text: 'you', format: 'plain' as const, mentions: users }
      server.append('garden', 'bob', { type: 'message.created', number: server.texts('garden').length + 1, content })
    }
    call(['bob'])
    await settle()
    expect(mentioned()).toBe(false)
    call(['ada'])
    server.say('garden', 'bob', 'later')
    await settle()
    expect(mentioned()).toBe(true)
    ada.rooms.get('garden').markRead()
    await settle()
    await pass(500)
    expect(mentioned()).toBe(false)
    await ada.close()
    call(['ada'])
    const again = client('ada', { storage })
    void again.connect()
    await settle()
    expect(mentioned(again)).toBe(true)
  })

  test('what another device has read is read here', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    server.say('garden', 'bob', 'one')
    const [phone, laptop] = [await online('ada'), await online('ada')]
    phone.rooms.get('garden').markRead()
    await pass(1_000)
    expect(laptop.rooms.list.get()[0]!.unread).toBe(0)
  })
})

describe('ticks', () => {
  test('delivered when it reached the others, read when they read it', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('ada-bob', ['ada', 'bob'], 'direct')
    const ada = await online('ada')
    const room = ada.rooms.get('ada-bob')
    const timeline = room.timeline()
    room.send('Hello')
    await pass(2_000)
    expect(lines(timeline).at(-1)).toBe('2 ada: Hello sent')
    const bob = await online('bob')
    await pass(2_000)
    expect(lines(timeline).at(-1)).toBe('2 ada: Hello delivered')
    bob.rooms.get('ada-bob').markRead()
    await pass(2_000)
    expect(lines(timeline).at(-1)).toBe('2 ada: Hello read')
    expect(room.receipts.get()).toMatchObject({ bob: { read: 2 } })
  })

  test('in a group they wait for the last one', async () => {
    const { server, online } = world('ada', 'bob', 'cleo')
    server.addRoom('garden', ['ada', 'bob', 'cleo'])
    const [ada, bob, cleo] = [await online('ada'), await online('bob'), await online('cleo')]
    const timeline = ada.rooms.get('garden').timeline()
    ada.rooms.get('garden').send('Hello')
    await pass(2_000)
    bob.rooms.get('garden').markRead()
    await pass(2_000)
    expect(lines(timeline).at(-1)).toBe('2 ada: Hello delivered')
    cleo.rooms.get('garden').markRead()
    await pass(2_000)
    expect(lines(timeline).at(-1)).toBe('2 ada: Hello read')
  })

  test('deliveries in many rooms are spread', async () => {
    const { server, online } = world('ada', 'bob')
    for (let room = 0; room < 100; room++) {
      server.addRoom(`room${room}`, ['ada', 'bob'])
      server.say(`room${room}`, 'bob', 'Hello')
    }
    await online('ada')
    await pass(1_000)
    expect(server.requestsOf('cursor.set').length).toBeLessThan(30)
    await pass(5_000)
    expect(server.requestsOf('cursor.set')).toHaveLength(100)
  })

  test('deliveries are reported at most once a second', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    await online('ada')
    await pass(2_000)
    for (let index = 0; index < 30; index++) {
      server.say('garden', 'bob', `m${index}`)
      await pass(100)
    }
    await pass(2_000)
    const delivered = server.requestsOf('cursor.set', 'ada')
    expect(delivered.length).toBeLessThanOrEqual(4)
    expect(delivered.at(-1)).toEqual({ room: 'garden', delivered: 31 })
  })
})

describe('typing', () => {
  test('is told on the first key, again every 4 s, and ended after 5 s of silence', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    const ada = await online('ada')
    for (let key = 0; key < 50; key++) {
      ada.rooms.get('garden').typing.keystroke()
      await pass(100)
    }
    await pass(6_000)
    expect(server.requestsOf('typing.set').map(({ typing }) => typing)).toEqual([true, true, false])
  })

  test('of others is shown, and ends by itself, by saying so, or by a message', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    const ada = await online('ada')
    const names = () => ada.rooms.get('garden').typingUsers.get().map(user => user.display_name)
    const types = async (typing: boolean) => {
      server.pushTo('garden', { push: 'typing', room: 'garden', user: 'bob', typing })
      await settle()
    }
    await types(true)
    expect(names()).toEqual(['Bob'])
    await pass(7_000)
    expect(names()).toEqual([])
    await types(true)
    await types(false)
    expect(names()).toEqual([])
    await types(true)
    server.say('garden', 'bob', 'done')
    await settle()
    expect(names()).toEqual([])
  })
})

test('presence is watched while somebody looks, and again after a reconnect', async () => {
  const { server, online } = world('ada', 'bob', 'cleo')
  const ada = await online('ada')
  const seen: unknown[] = []
  const off = ada.presence(['bob']).subscribe(presence => seen.push(presence))
  const offBoth = ada.presence(['bob', 'cleo']).subscribe(() => {})
  await settle()
  expect(server.requestsOf('presence.watch')).toEqual([{ users: ['bob', 'cleo'] }])
  for (const socket of server.sockets) server.push(socket, { push: 'presence', presence: { user: 'bob', online: true } })
  await settle()
  expect(seen).toEqual([{}, { bob: { online: false } }, { bob: { online: true } }])
  offBoth()
  await settle()
  expect(server.requestsOf('presence.watch').at(-1)).toEqual({ users: ['bob'] })
  server.breakConnections('ada')
  await pass(5_000)
  expect(server.requestsOf('presence.watch')).toHaveLength(3)
  off()
  await settle()
  expect(server.requestsOf('presence.watch').at(-1)).toEqual({ users: [] })
})

test('profiles that are missing are fetched together', async () => {
  const { server, online } = world('ada', 'bob', 'cleo')
  const ada = await online('ada')
  server.users.set('dora', { id: 'dora', display_name: 'Dora', kind: 'person' })
  server.users.set('emil', { id: 'emil', display_name: 'Emil', kind: 'bot' })
  const [dora, emil] = [ada.users.get('dora'), ada.users.get('emil')]
  expect(dora.get()).toBeUndefined()
  await settle()
  expect([dora.get()?.display_name, emil.get()?.kind]).toEqual(['Dora', 'bot'])
  expect(server.requestsOf('user.search')).toEqual([{ ids: 'dora,emil', limit: 100 }])
})

test('events are heard by their names', async () => {
  const { server, online } = world('ada', 'bob')
  server.addRoom('garden', ['ada', 'bob'])
  const ada = await online('ada')
  const heard: string[] = []
  const off = ada.on('message.created', event => heard.push(`${event.sender}: ${event.content?.text}`))
  ada.on('cursor', ({ user, cursors }) => heard.push(`${user} read ${cursors.read}`))
  ada.on('typing', ({ user }) => heard.push(`${user} types`))
  server.say('garden', 'bob', 'Hello')
  server.pushTo('garden', { push: 'typing', room: 'garden', user: 'bob', typing: true })
  await settle()
  off()
  server.say('garden', 'bob', 'unheard')
  await settle()
  expect(heard.filter(line => line.startsWith('bob'))).toEqual(['bob: Hello', 'bob read 2', 'bob types', 'bob read 3'])
})

describe('what was kept', () => {
  test('is forgotten when the server knows less than before', async () => {
    const before = world('ada', 'bob')
    for (const id of ['garden', 'cellar']) before.server.addRoom(id, ['ada', 'bob'])
    for (let count = 0; count < 10; count++) before.server.say('garden', 'bob', 'old')
    const storage = memoryStorage()
    const ada = await before.online('ada', { storage })
    ada.rooms.get('garden').timeline()
    await pass(1_000)
    await ada.close()

    const after = world('ada', 'bob')
    after.server.addRoom('garden', ['ada', 'bob'])
    const again = after.client('ada', { storage })
    const timeline = again.rooms.get('garden').timeline()
    const connected = again.connect()
    await settle()
    await connected
    expect(again.rooms.list.get().map(({ id, head }) => [id, head])).toEqual([['garden', 1]])
    expect(lines(timeline)).toEqual(['1 ada: room.created'])
  })

  test('is gone when another user signs in', async () => {
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada'])
    const storage = memoryStorage()
    const ada = await online('ada', { storage })
    server.down = true
    server.breakConnections()
    ada.rooms.get('garden').send('secret')
    await pass(1_000)
    await ada.close()
    server.down = false
    const bob = await online('bob', { storage })
    await pass(5_000)
    expect(bob.rooms.list.get()).toEqual([])
    expect(bob.me.get()?.id).toBe('bob')
    expect(server.texts('garden')).toEqual([])
    expect(JSON.stringify(await storage.list(''))).not.toMatch(/secret|garden/)
  })
})
