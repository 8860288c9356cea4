import { describe, expect, test } from 'vitest'
import { memoryStorage } from '../src/storage.js'
import { lines, pass, settle, virtualTime, world } from './world.js'

virtualTime()

/** A room with messages numbered by their seq: 2 to `head`. */
async function garden(head = 1, options: { read?: number } = {}) {
  const w = world('ada', 'bob')
  const room = w.server.addRoom('garden', ['ada', 'bob'])
  for (let seq = 2; seq <= head; seq++) w.server.say('garden', 'bob', `m${seq}`)
  if (options.read) room.cursors.set('ada', { delivered: options.read, read: options.read, read_messages: options.read - 1 })
  const storage = memoryStorage()
  const ada = await w.online('ada', { storage })
  return { ...w, ada, storage, handle: ada.rooms.get('garden'), log: room.log }
}

const seqs = (timeline: { get(): { items: { seq?: number }[] } }) => timeline.get().items.map(item => item.seq)
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

describe('paging', () => {
  test('starts at the end and goes back to the beginning', async () => {
    const { handle } = await garden(120)
    const timeline = handle.timeline({ limit: 50 })
    expect(timeline.get()).toMatchObject({ items: [], loading: true })
    await settle()
    expect(timeline.get()).toMatchObject({ hasOlder: true, hasNewer: false, loading: false })
    expect(seqs(timeline)).toEqual(range(71, 120))
    void timeline.loadOlder()
    void timeline.loadOlder()
    await settle()
    expect(seqs(timeline)).toEqual(range(21, 120))
    void timeline.loadOlder()
    await settle()
    expect(seqs(timeline)).toEqual(range(1, 120))
    expect(timeline.get().hasOlder).toBe(false)
  })

  test('starts at the first unread message and goes both ways', async () => {
    const { handle } = await garden(120, { read: 60 })
    const timeline = handle.timeline({ at: 'first-unread', limit: 20 })
    await settle()
    expect(timeline.get()).toMatchObject({ unreadAt: 61, hasOlder: true, hasNewer: true })
    expect(seqs(timeline)).toEqual(range(50, 69))
    void timeline.loadNewer()
    await settle()
    expect(seqs(timeline)).toEqual(range(50, 89))
    void timeline.loadOlder()
    await settle()
    expect(seqs(timeline)).toEqual(range(30, 89))
    expect(timeline.get().unreadAt).toBe(61)
  })

  test('away from the end, news wait until it is reached', async () => {
    const { handle, server } = await garden(60)
    const timeline = handle.timeline({ at: 10, limit: 10 })
    await settle()
    server.say('garden', 'bob', 'new')
    await settle()
    expect(seqs(timeline)).toEqual(range(5, 14))
    for (let page = 0; page < 5; page++) {
      void timeline.loadNewer()
      await settle()
    }
    expect(seqs(timeline)).toEqual(range(5, 61))
    server.say('garden', 'bob', 'newer')
    await settle()
    expect(seqs(timeline)).toEqual(range(5, 62))
  })

  test('keeps a bounded part and reads the rest again', async () => {
    const { handle, server } = await garden(1_500)
    const timeline = handle.timeline({ limit: 100 })
    await settle()
    const page = async (load: 'loadOlder' | 'loadNewer') => {
      void timeline[load]()
      await settle()
      const shown = seqs(timeline)
      expect(shown.length).toBeLessThanOrEqual(600)
      // 1501 and 1502 are changes.
      expect(shown).toEqual(range(shown[0]!, shown.at(-1)!).filter(seq => seq !== 1_501 && seq !== 1_502))
      return shown
    }
    while (timeline.get().hasOlder) await page('loadOlder')
    expect(seqs(timeline)).toEqual(range(1, 600))
    expect(timeline.get().hasNewer).toBe(true)
    // What changes beyond the far end is in what is read again; what is new does not move the reader.
    server.append('garden', 'bob', { type: 'message.deleted', target: 900 })
    server.append('garden', 'bob', { type: 'message.deleted', target: 300 })
    server.say('garden', 'bob', 'm1503')
    await settle()
    expect(seqs(timeline)).toEqual(range(1, 600))
    expect(lines(timeline)[299]).toBe('300 bob: (deleted)')
    const upTo: number[] = []
    while (timeline.get().hasNewer) upTo.push((await page('loadNewer')).at(-1)!)
    expect(upTo).toEqual([700, 800, 900, 1_000, 1_100, 1_200, 1_300, 1_400, 1_500, 1_503])
    expect(lines(timeline).at(-1)).toBe('1503 bob: m1503')
    expect(timeline.get().hasOlder).toBe(true)
    // At the end again, it follows.
    server.say('garden', 'bob', 'm1504')
    await settle()
    expect(seqs(timeline).at(-1)).toBe(1_504)
    expect(lines(timeline).find(line => line.startsWith('900 '))).toBe(undefined)
    void timeline.jumpTo(900)
    await settle()
    expect(lines(timeline).find(line => line.startsWith('900 '))).toBe('900 bob: (deleted)')
  })

  test('full, with the reader at its beginning, lets news wait, pushed or missed', async () => {
    const { handle, server } = await garden(400)
    const timeline = handle.timeline({ limit: 100, keep: 300 })
    await settle()
    for (let loads = 0; loads < 2; loads++) {
      void timeline.loadOlder()
      await settle()
    }
    expect(seqs(timeline)).toEqual(range(101, 400))
    server.say('garden', 'bob', 'pushed')
    await settle()
    expect(seqs(timeline)).toEqual(range(101, 400))
    expect(timeline.get().hasNewer).toBe(true)
    void timeline.jumpTo('latest')
    await settle()
    void timeline.loadOlder()
    await settle()
    void timeline.loadOlder()
    await settle()
    expect(seqs(timeline)).toEqual(range(102, 401))
    server.down = true
    server.breakConnections('ada')
    for (let seq = 402; seq <= 900; seq++) server.say('garden', 'bob', `m${seq}`)
    server.down = false
    await pass(5_000)
    expect(seqs(timeline)).toEqual(range(102, 401))
    expect(timeline.get().hasNewer).toBe(true)
    void timeline.loadNewer()
    await settle()
    expect(seqs(timeline)).toEqual(range(202, 501))
  })

  test('jumps to a message and back to the end', async () => {
    const { handle } = await garden(200)
    const timeline = handle.timeline({ limit: 10 })
    await settle()
    void timeline.jumpTo(100)
    await settle()
    expect(seqs(timeline)).toEqual(range(95, 104))
    void timeline.jumpTo('latest')
    await settle()
    expect(seqs(timeline)).toEqual(range(191, 200))
  })

  test('says why a page could not be read', async () => {
    const { handle, server } = await garden(10)
    server.script = op => (op === 'event.list' ? { code: 'not_a_member', status: 403 } : 'usual')
    const timeline = handle.timeline()
    await settle()
    expect(timeline.get()).toMatchObject({ loading: false, error: { code: 'not_a_member' } })
  })
})

describe('gaps', () => {
  test('in what is pushed are read', async () => {
    const { handle, server } = await garden(3)
    const timeline = handle.timeline()
    await settle()
    server.muted.add('ada')
    server.say('garden', 'bob', 'lost')
    server.append('garden', 'bob', { type: 'message.edited', target: 2, content: { type: 'text', text: 'm2!', format: 'plain' } })
    server.muted.delete('ada')
    server.say('garden', 'bob', 'seen')
    await settle()
    expect(lines(timeline)).toEqual(['1 ada: room.created', '2 bob: m2! (edited)', '3 bob: m3', '4 bob: lost', '6 bob: seen'])
  })

  test.each([
    ['at the end', {}],
    ['away from it', { at: 10, limit: 10 }],
  ])('hide no earlier change of a message whose later one is told, %s', async (_, options) => {
    const { handle, server } = await garden(60)
    const timeline = handle.timeline(options)
    await settle()
    const shown = timeline.get().items[0]!.seq!
    server.muted.add('ada')
    server.append('garden', 'bob', { type: 'message.edited', target: shown, content: { type: 'text', text: 'better', format: 'plain' } })
    server.muted.delete('ada')
    server.append('garden', 'bob', { type: 'reaction.updated', target: shown, keys: ['👍'], added: ['👍'], removed: [] })
    if ('at' in options) for (const socket of server.sockets) socket.deliver({ push: 'resync' })
    await settle()
    expect(lines(timeline)[0]).toBe(`${shown} bob: better (edited) [👍1]`)
  })

  test('hide none when an older page comes before they are read', async () => {
    const { handle, server } = await garden(60)
    const timeline = handle.timeline({ limit: 10 })
    await settle()
    server.slowness['event.list'] = 50
    void timeline.loadOlder()
    await pass(20)
    server.muted.add('ada')
    server.append('garden', 'bob', { type: 'message.edited', target: 55, content: { type: 'text', text: 'better', format: 'plain' } })
    server.muted.delete('ada')
    server.append('garden', 'bob', { type: 'reaction.updated', target: 55, keys: ['👍'], added: ['👍'], removed: [] })
    await pass(500)
    expect(lines(timeline)).toContain('55 bob: better (edited) [👍1]')
  })

  test('are not said to be shown before they are read', async () => {
    const { handle, server } = await garden(3)
    const timeline = handle.timeline()
    expect(timeline.get().high).toBe(0)
    await settle()
    expect(timeline.get().high).toBe(3)
    server.muted.add('ada')
    server.say('garden', 'bob', 'lost')
    server.muted.delete('ada')
    server.script = op => (op === 'event.list' ? 'ignore' : 'usual')
    server.say('garden', 'bob', 'seen')
    await settle()
    expect(handle.view.get()!.head).toBe(5)
    expect(timeline.get().high).toBe(3)
    server.script = () => 'usual'
    await pass(30_000)
    expect(timeline.get().high).toBe(5)
  })

  test('after an absence are read', async () => {
    const { handle, server, ada } = await garden(3)
    const timeline = handle.timeline()
    await settle()
    server.down = true
    server.breakConnections('ada')
    server.say('garden', 'bob', 'while away')
    server.append('garden', 'bob', { type: 'message.deleted', target: 3 })
    server.down = false
    await pass(5_000)
    expect(lines(timeline)).toEqual(['1 ada: room.created', '2 bob: m2', '3 bob: (deleted)', '4 bob: while away'])
    expect(ada.rooms.list.get()[0]!.unread).toBe(3)
  })

  test('too long to be caught up leave the reader where they are, up to date', async () => {
    const { handle, server } = await garden(3)
    const timeline = handle.timeline()
    await settle()
    server.down = true
    server.breakConnections('ada')
    for (let seq = 4; seq <= 1_000; seq++) server.say('garden', 'bob', `m${seq}`)
    server.append('garden', 'bob', { type: 'message.edited', target: 3, content: { type: 'text', text: 'm3!', format: 'plain' } })
    server.down = false
    await pass(5_000)
    expect(seqs(timeline)).toEqual(range(1, 403))
    expect(timeline.get().hasNewer).toBe(true)
    expect(timeline.get().items[2]!.content!.text).toBe('m3!')
    void timeline.jumpTo('latest')
    await settle()
    expect(timeline.get().items.at(-1)!.seq).toBe(1_000)
  })

  test('are read after a resync', async () => {
    const { handle, server, ada } = await garden(3)
    const timeline = handle.timeline()
    await settle()
    server.muted.add('ada')
    server.say('garden', 'bob', 'dropped')
    server.addRoom('cellar', ['ada', 'bob'])
    server.muted.delete('ada')
    for (const socket of server.sockets) socket.deliver({ push: 'resync' })
    await settle()
    expect(lines(timeline).at(-1)).toBe('4 bob: dropped')
    expect(ada.rooms.list.get().map(({ id }) => id).sort()).toEqual(['cellar', 'garden'])
  })

  test('between the events of a page and its as_of are no gaps', async () => {
    const { handle, server } = await garden(3)
    server.meanwhile = () => {
      server.meanwhile = () => {}
      server.say('garden', 'bob', 'm4')
    }
    const timeline = handle.timeline()
    await settle()
    expect(seqs(timeline)).toEqual(range(1, 4))
  })

  test('while a page is on its way do not show', async () => {
    const { handle, server } = await garden(3)
    const timeline = handle.timeline()
    await pass(6)
    // The page has been asked for, and is answered as of now; these come around it.
    for (let seq = 4; seq <= 8; seq++) {
      server.say('garden', 'bob', `m${seq}`)
      await pass(3)
    }
    await settle()
    expect(seqs(timeline)).toEqual(range(1, 8))
  })
})

describe('changes', () => {
  test('are folded into their message', async () => {
    const { handle, server } = await garden(3)
    const timeline = handle.timeline()
    await settle()
    const own = handle.send('mine')
    await settle()
    const { seq } = await own.sent
    void handle.edit(seq, 'mine, better')
    void handle.react(2, '👍')
    await settle()
    server.append('garden', 'bob', { type: 'reaction.updated', target: 2, keys: ['👍', '🎉'], added: ['👍', '🎉'], removed: [] })
    server.append('garden', 'bob', { type: 'message.deleted', target: 3 })
    await settle()
    expect(lines(timeline)).toEqual([
      '1 ada: room.created',
      '2 bob: m2 [👍2* 🎉1]',
      '3 bob: (deleted)',
      '4 ada: mine, better (edited) sent',
    ])
  })

  test('up to as_of are not applied twice', async () => {
    const { handle, server } = await garden(3)
    const timeline = handle.timeline()
    await settle()
    // The push of a reaction that the page asked for next already knows.
    const event = server.append('garden', 'bob', { type: 'reaction.updated', target: 2, keys: ['👍'], added: ['👍'], removed: [] })
    await settle()
    void timeline.jumpTo(1)
    for (const socket of server.sockets) if (socket.user === 'ada') socket.deliver({ push: 'event', event })
    await settle()
    expect(lines(timeline)[1]).toBe('2 bob: m2 [👍1]')

    const late = handle.timeline({ at: 2 })
    await settle()
    for (const socket of server.sockets) if (socket.user === 'ada') socket.deliver({ push: 'event', event })
    await settle()
    expect(lines(late)[1]).toBe('2 bob: m2 [👍1]')
  })

  test('pushed before an older page came are in it', async () => {
    const { handle, server } = await garden(60)
    const timeline = handle.timeline({ limit: 10 })
    await settle()
    server.slowness['event.list'] = 50
    void timeline.loadOlder()
    await pass(20)
    // The page has been read; this overtakes it.
    server.append('garden', 'bob', { type: 'message.edited', target: 45, content: { type: 'text', text: 'm45!', format: 'plain' } })
    await settle()
    expect(timeline.get().items.find(({ seq }) => seq === 45)!.content!.text).toBe('m45!')
  })

  test('a reaction is toggled by the second click, however quick', async () => {
    const { handle, server, log } = await garden(3)
    handle.timeline()
    await settle()
    for (const key of ['👍', '🎉', '👍']) void handle.react(2, key)
    await settle()
    expect(log.slice(3).map(event => (event.type === 'reaction.updated' ? event.keys : event.type))).toEqual([['👍'], ['👍', '🎉'], ['🎉']])
    expect(server.requestsOf('reaction.set').every(({ client_id }) => client_id.length === 32)).toBe(true)
  })

  test('writes whose answer is lost are repeated under the same id', async () => {
    const { handle, server, log } = await garden(3)
    let lost = false
    server.script = op => (op === 'message.delete' && !lost ? ((lost = true), 'lose-answer') : 'usual')
    const deleted = handle.delete(2)
    await pass(5_000)
    expect(await deleted).toMatchObject({ seq: 4, duplicate: true })
    expect(log).toHaveLength(4)
  })
})

test('items keep their identity until they change', async () => {
  const { handle, server } = await garden(3)
  const timeline = handle.timeline()
  await settle()
  const before = timeline.get().items
  expect(timeline.get().items).toBe(before)
  server.say('garden', 'bob', 'more')
  await settle()
  expect(timeline.get().items[1]).toBe(before[1])
})

test('the last page is there at once after a reload, offline too', async () => {
  const { ada, handle, server, storage, client } = await garden(80)
  handle.timeline()
  await settle()
  await ada.close()
  server.down = true
  const reloaded = client('ada', { storage })
  void reloaded.connect().catch(() => {})
  const timeline = reloaded.rooms.get('garden').timeline()
  await settle()
  expect(reloaded.rooms.list.get()).toMatchObject([{ id: 'garden', title: 'garden', head: 80 }])
  expect(seqs(timeline)).toEqual(range(31, 80))
  expect(timeline.get()).toMatchObject({ hasOlder: true, loading: true })
})

describe('the first unread message, after a reload', () => {
  /** Ada has read up to 40 of 80 when she leaves; `away` happens until she is back, on a slow line. */
  async function reopened(away: (w: Awaited<ReturnType<typeof garden>>) => void) {
    const w = await garden(80, { read: 40 })
    w.handle.timeline()
    await settle()
    await w.ada.close()
    away(w)
    const reloaded = w.client('ada', { storage: w.storage })
    const timeline = reloaded.rooms.get('garden').timeline({ at: 'first-unread', limit: 20 })
    w.server.down = true
    void reloaded.connect()
    await settle()
    // What was there is shown at once, without a divider that may be wrong.
    expect(seqs(timeline)).toEqual(range(31, 80))
    expect(timeline.get().unreadAt).toBeUndefined()
    w.server.down = false
    await pass(5_000)
    return { ...w, timeline, reloaded }
  }

  test('is what the server says, not what was stored', async () => {
    const read = await reopened(({ log, server }) => {
      server.rooms.get('garden')!.cursors.set('ada', { delivered: 70, read: 70, read_messages: 69 })
      server.rooms.get('garden')!.commit = 10_000
      expect(log).toHaveLength(80)
    })
    expect(read.timeline.get()).toMatchObject({ unreadAt: 71, loading: false })
    expect(seqs(read.timeline)).toEqual(range(60, 79))
    // Later marks don't move it.
    read.reloaded.rooms.get('garden').markRead()
    read.server.say('garden', 'bob', 'new')
    await settle()
    expect(read.timeline.get().unreadAt).toBe(71)
  })

  test('is none when another device has read everything', async () => {
    const { timeline } = await reopened(({ server }) => {
      server.rooms.get('garden')!.cursors.set('ada', { delivered: 80, read: 80, read_messages: 79 })
      server.rooms.get('garden')!.commit = 10_000
    })
    expect(timeline.get()).toMatchObject({ hasNewer: false, loading: false })
    expect(timeline.get().unreadAt).toBeUndefined()
    expect(seqs(timeline).at(-1)).toBe(80)
  })

  test('is there when everything had been read before', async () => {
    const { timeline } = await reopened(({ server }) => {
      for (let seq = 81; seq <= 90; seq++) server.say('garden', 'bob', `m${seq}`)
      server.rooms.get('garden')!.cursors.set('ada', { delivered: 80, read: 80, read_messages: 79 })
    })
    expect(timeline.get().unreadAt).toBe(81)
  })
})

test('own messages of two devices under one client id are both there', async () => {
  const { handle, server } = await garden(1)
  const timeline = handle.timeline()
  await settle()
  for (const text of ['phone', 'desk']) server.say('garden', 'ada', text, { client_id: 'same' })
  await settle()
  expect(timeline.get().items.map(({ key, content }) => [key, content?.text]).slice(1)).toEqual([['same', 'phone'], ['garden:3', 'desk']])
})

test('a third quick reaction keeps the first two', async () => {
  const { handle, server } = await garden(2)
  const timeline = handle.timeline()
  await settle()
  // Events come before the answers.
  server.slowness['reaction.set'] = 40
  const clicks = [handle.react(2, '👍'), handle.react(2, '🎉')]
  await pass(25)
  expect(lines(timeline)[1]).toBe('2 bob: m2 [👍1* 🎉1*]')
  // The answers overtake the event of the first.
  clicks.push(handle.react(2, '🚀'))
  await settle()
  await Promise.all(clicks)
  expect(server.requestsOf('reaction.set').map(({ keys }) => keys)).toEqual([['👍'], ['👍', '🎉'], ['👍', '🎉', '🚀']])
  // What another device sets later counts.
  server.append('garden', 'ada', { type: 'reaction.updated', target: 2, keys: ['🚀'], added: [], removed: ['👍', '🎉'] })
  await settle()
  void handle.react(2, '🚀')
  await settle()
  expect(server.requestsOf('reaction.set').at(-1).keys).toEqual([])
})

test('a third quick reaction while the first is told of keeps the second', async () => {
  const { handle, server } = await garden(2)
  handle.timeline()
  await settle()
  server.slowness['reaction.set'] = 50
  void handle.react(2, '👍')
  await pass(6)
  void handle.react(2, '🎉')
  // The event of the first is here, that of the second on its way.
  await pass(6)
  void handle.react(2, '🚀')
  await pass(500)
  expect(server.requestsOf('reaction.set').at(-1).keys).toEqual(['👍', '🎉', '🚀'])
})
