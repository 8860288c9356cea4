import { describe, expect, test } from 'vitest'
import { memoryStorage } from '../src/storage.js'
import type { Fate } from './fake-server.js'
import { lines, pass, settle, virtualTime, world } from './world.js'

virtualTime()

async function garden() {
  const w = world('ada', 'bob')
  w.server.addRoom('garden', ['ada', 'bob'])
  const storage = memoryStorage()
  const ada = await w.online('ada', { storage })
  const room = ada.rooms.get('garden')
  const timeline = room.timeline()
  await settle()
  return { ...w, ada, room, timeline, storage }
}

describe('a message', () => {
  test('is echoed at once, then sent, then one item', async () => {
    const { room, timeline, server } = await garden()
    const statuses: string[] = []
    const message = room.send('Hello')
    message.subscribe(({ status }) => statuses.push(status))
    expect(lines(timeline)).toEqual(['1 ada: room.created', '- ada: Hello sending'])
    const key = timeline.get().items[1]!.key
    expect(room.view.get()?.pending).toBe(1)
    await settle()
    expect(await message.sent).toEqual({ seq: 2, commit: expect.any(Number) })
    expect(lines(timeline)).toEqual(['1 ada: room.created', '2 ada: Hello sent'])
    expect(timeline.get().items[1]).toMatchObject({ key, mine: true })
    expect(statuses).toEqual(['sending', 'sent'])
    expect(room.view.get()).toMatchObject({ pending: 0, unread: 0 })
    expect(server.texts('garden')).toEqual(['Hello'])
  })

  test('carries all that was given', async () => {
    const { room, server } = await garden()
    room.send('*Hi*', { format: 'markdown', replyTo: 1, mentions: ['bob'], data: { order: 42 }, clientId: 'own-id' })
    await settle()
    expect(server.requestsOf('message.send')).toEqual([
      {
        room: 'garden',
        client_id: 'own-id',
        reply_to: 1,
        content: { type: 'text', text: '*Hi*', format: 'markdown', mentions: ['bob'], data: { order: 42 } },
      },
    ])
  })

  test('whose acknowledgement is lost is sent again under the same id, and is there once', async () => {
    const { room, timeline, server } = await garden()
    let lost = false
    server.script = op => (op === 'message.send' && !lost ? ((lost = true), 'lose-answer') : 'usual')
    const message = room.send('once')
    await settle()
    expect(message.get().status).not.toBe('sent')
    await pass(5_000)
    const ids = server.requestsOf('message.send').map(({ client_id }) => client_id)
    expect(ids).toEqual([message.clientId, message.clientId])
    expect(await message.sent).toMatchObject({ seq: 2 })
    expect(message.get().receipt?.duplicate).toBe(true)
    expect(lines(timeline)).toEqual(['1 ada: room.created', '2 ada: once sent'])
    expect(server.texts('garden')).toEqual(['once'])
  })

  test('that gets no answer is sent again on a new connection', async () => {
    const { room, server } = await garden()
    let ignored = false
    server.script = op => (op === 'message.send' && !ignored ? ((ignored = true), 'ignore') : 'usual')
    const message = room.send('patience')
    await pass(14_000)
    expect(message.get().status).toBe('sending')
    await pass(5_000)
    expect(message.get().status).toBe('sent')
    expect(server.attempts).toBe(2)
  })

  test('whose push is lost appears all the same', async () => {
    const { room, timeline, server } = await garden()
    server.muted.add('ada')
    room.send('quiet')
    await settle()
    expect(lines(timeline)).toEqual(['1 ada: room.created', '- ada: quiet sent'])
    await pass(2_500)
    expect(lines(timeline)).toEqual(['1 ada: room.created', '2 ada: quiet sent'])
  })
})

describe('offline', () => {
  test('messages wait in order and survive a reload', async () => {
    const { ada, room, server, storage, client } = await garden()
    server.down = true
    server.breakConnections()
    await settle()
    const texts = ['one', 'two', 'three']
    const ids = texts.map(text => room.send(text).clientId)
    await settle()
    await ada.close()

    const reloaded = client('ada', { storage })
    const fourth = reloaded.rooms.get('garden').send('four')
    const connected = reloaded.connect()
    await settle()
    const timeline = reloaded.rooms.get('garden').timeline()
    await settle()
    expect(reloaded.rooms.list.get()).toMatchObject([{ id: 'garden', pending: 4 }])
    expect(lines(timeline).slice(1)).toEqual(['one', 'two', 'three', 'four'].map(text => `- ada: ${text} queued`))

    server.down = false
    await pass(30_000)
    await connected
    expect(server.texts('garden')).toEqual([...texts, 'four'])
    expect(server.requestsOf('message.send').map(({ client_id }) => client_id)).toEqual([...ids, fourth.clientId])
    expect(lines(timeline).slice(1)).toEqual(['2 ada: one sent', '3 ada: two sent', '4 ada: three sent', '5 ada: four sent'])
    expect(await storage.list('out:')).toEqual([])
  })

  test('a message written as another device is not sent again unasked', async () => {
    const { ada, room, server, storage, client } = await garden()
    server.down = true
    server.breakConnections()
    const { clientId } = room.send('from the old device')
    await settle()
    await ada.close()
    server.down = false
    server.tokens.set('new-device', { user: 'ada', device: 'device-new' })
    const anew = client('ada', { storage, getToken: async () => 'new-device' })
    const timeline = anew.rooms.get('garden').timeline()
    void anew.connect()
    await settle()
    const item = timeline.get().items.at(-1)!
    expect(item).toMatchObject({ key: clientId, status: 'failed' })
    item.outgoing!.retry()
    await settle()
    expect(server.texts('garden')).toEqual(['from the old device'])
  })
})

describe('order', () => {
  // Each case: what becomes of the n-th send that arrives.
  const cases: Record<string, (count: number, text: string) => Fate> = {
    'the connection breaks before the third': count => (count === 3 ? 'lose-request' : 'usual'),
    'the acknowledgement of the second is lost': count => (count === 2 ? 'lose-answer' : 'usual'),
    'each of the first five breaks the connection': count => (count <= 5 ? (count % 2 ? 'lose-request' : 'lose-answer') : 'usual'),
    'the server is busy for a while': count =>
      count <= 20 ? { code: 'overloaded', status: 503, retryable: true, retry_after_ms: 700 } : 'usual',
  }
  test.each(Object.entries(cases))('is kept when %s', async (_, fate) => {
    const { room, timeline, server } = await garden()
    let count = 0
    server.script = (op, params) => (op === 'message.send' ? fate(++count, params.content.text) : 'usual')
    const texts = Array.from({ length: 20 }, (_, index) => `message ${index}`)
    const messages = texts.map(text => room.send(text))
    await pass(60_000)
    expect(messages.map(message => message.get().status)).toEqual(texts.map(() => 'sent'))
    expect(server.texts('garden')).toEqual(texts)
    expect(timeline.get().items.slice(1).map(item => item.content?.text)).toEqual(texts)
  })

  test('leaves room for at most 16 on the way', async () => {
    const { room, server } = await garden()
    server.script = op => (op === 'message.send' ? 'ignore' : 'usual')
    for (let index = 0; index < 20; index++) room.send(`message ${index}`)
    await settle()
    expect(server.requestsOf('message.send')).toHaveLength(16)
  })
})

describe('a refusal', () => {
  const refuse = (text: string) => (op: string, params: any): Fate =>
    op === 'message.send' && params.content.text === text ? { code: 'level_too_low', status: 403 } : 'usual'

  test('fails only that message; later ones go on', async () => {
    const { room, timeline, server } = await garden()
    server.script = refuse('two')
    const [one, two, three] = ['one', 'two', 'three'].map(text => room.send(text))
    await settle()
    expect([one, two, three].map(message => message!.get().status)).toEqual(['sent', 'failed', 'sent'])
    await expect(two!.sent).rejects.toMatchObject({ code: 'level_too_low', status: 403 })
    expect(lines(timeline)).toEqual(['1 ada: room.created', '2 ada: one sent', '3 ada: three sent', '- ada: two failed'])
    expect(timeline.get().items.at(-1)?.error?.code).toBe('level_too_low')
  })

  test('for its size comes without asking the server', async () => {
    const { room, server } = await garden()
    const [large, small] = [room.send('字'.repeat(22_000)), room.send('small')]
    await settle()
    expect(large.get()).toMatchObject({ status: 'failed', error: { code: 'payload_too_large' } })
    expect(small.get().status).toBe('sent')
    expect(server.attempts).toBe(1)
  })

  test('can be retried', async () => {
    const { room, server } = await garden()
    server.script = refuse('again')
    const message = room.send('again')
    await settle()
    server.script = () => 'usual'
    message.retry()
    await settle()
    expect(await message.sent).toMatchObject({ seq: 2 })
    const [first, second] = server.requestsOf('message.send')
    expect(first.client_id).toBe(second.client_id)
  })

  test('can be cancelled, and is gone after a reload too', async () => {
    const { room, timeline, server, storage } = await garden()
    server.script = refuse('no')
    const message = room.send('no')
    await settle()
    expect(await storage.list('out:')).toHaveLength(1)
    message.cancel()
    expect(message.get()).toMatchObject({ status: 'failed', error: { code: 'cancelled' } })
    await settle()
    expect(lines(timeline)).toEqual(['1 ada: room.created'])
    expect(await storage.list('out:')).toEqual([])
  })

  test('is still shown as failed after a reload', async () => {
    const { ada, room, server, storage, online } = await garden()
    server.script = refuse('no')
    room.send('no')
    await settle()
    await ada.close()
    const reloaded = await online('ada', { storage })
    const timeline = reloaded.rooms.get('garden').timeline()
    await settle()
    expect(timeline.get().items.at(-1)).toMatchObject({ status: 'failed', error: { code: 'level_too_low' } })
  })
})

test('a queued message can be cancelled before it is sent', async () => {
  const { room, server } = await garden()
  server.down = true
  server.breakConnections()
  await settle()
  const message = room.send('never mind')
  message.cancel()
  await expect(message.sent).rejects.toMatchObject({ code: 'cancelled' })
  server.down = false
  await pass(30_000)
  expect(server.texts('garden')).toEqual([])
})
