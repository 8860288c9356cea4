import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { auth, ChatError, sessionTokens, type Session } from '../src/index.js'
import { memoryStorage } from '../src/storage.js'
import { pass, settle, virtualTime, world } from './world.js'

virtualTime()

let requests: { url: string; method: string; body: any; headers: Record<string, string> }[] = []
let answer: (path: string, body: any) => { status: number; body?: unknown } | Promise<never> = () => ({ status: 204 })

beforeEach(() => {
  requests = []
  vi.stubGlobal('fetch', async (url: string, init: { method: string; body: string | null; headers: Record<string, string> }) => {
    const body = init.body && JSON.parse(init.body)
    requests.push({ url, method: init.method, body, headers: init.headers })
    const { status, body: text } = await answer(new URL(url).pathname, body)
    return new Response(text === undefined ? null : JSON.stringify(text), { status })
  })
})
afterEach(() => void vi.unstubAllGlobals())

const session = (access: string, refresh: string, lifetimeMs = 600_000): Session => ({
  user: { id: 'ada', display_name: 'Ada', kind: 'person' },
  device: { id: 'd', name: '', created_at: 0, last_seen_at: 0, current: true },
  access_token: access,
  access_expires_at: Date.now() + lifetimeMs,
  refresh_token: refresh,
})

function storage(): Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> {
  const items = new Map<string, string>()
  return { getItem: key => items.get(key) ?? null, setItem: (key, value) => void items.set(key, value), removeItem: key => void items.delete(key) }
}

describe('signing in', () => {
  test('sends what the wire wants', async () => {
    answer = () => ({ status: 200, body: session('a', 'r') })
    await auth('https://chat.test/').register({ id: 'ada', password: 'long enough', displayName: 'Ada', setupToken: 's' })
    await auth('https://chat.test', { language: 'zh' }).login({ id: 'ada', password: 'long enough', deviceName: 'Phone' })
    expect(requests.map(({ url, method, body }) => [url, method, body])).toEqual([
      ['https://chat.test/v1/auth/register', 'POST', { id: 'ada', password: 'long enough', display_name: 'Ada', setup_token: 's' }],
      ['https://chat.test/v1/auth/login', 'POST', { id: 'ada', password: 'long enough', device_name: 'Phone' }],
    ])
    expect(requests[1]!.headers['accept-language']).toBe('zh')
  })

  test('throws what the server refused, or that it was not there', async () => {
    const errors = [{ field: 'password', message: 'too short' }]
    answer = () => ({
      status: 422,
      body: { type: 'urn:starling:error:invalid_request', code: 'invalid_request', status: 422, title: 'No', retryable: false, request_id: 'r7', errors },
    })
    const refused = auth('https://chat.test').login({ id: 'ada', password: '' })
    await expect(refused).rejects.toMatchObject({ code: 'invalid_request', status: 422, message: 'No', requestId: 'r7', errors })
    await expect(refused).rejects.toBeInstanceOf(ChatError)
    answer = () => Promise.reject(new TypeError('fetch failed'))
    await expect(auth('https://chat.test').server()).rejects.toMatchObject({ code: 'network', retryable: true })
    answer = () => ({ status: 502, body: 'Bad gateway' })
    await expect(auth('https://chat.test').server()).rejects.toMatchObject({ code: 'network', status: 502, retryable: true })
  })
})

describe('a kept session', () => {
  test('gives its token until it is about to end, then refreshes once for all who ask', async () => {
    const tokens = sessionTokens({ url: 'https://chat.test', storage: storage() })
    tokens.save(session('a1', 'r1', 120_000))
    answer = (_, body) => ({ status: 200, body: session('a2', `after ${body.refresh_token}`) })
    expect(await tokens.getToken({})).toBe('a1')
    await pass(61_000)
    expect(await Promise.all([tokens.getToken({}), tokens.getToken({ expired: true })])).toEqual(['a2', 'a2'])
    expect(requests).toHaveLength(1)
    expect(tokens.current()).toMatchObject({ access_token: 'a2', refresh_token: 'after r1' })
  })

  test('refreshed by another tab is taken from there', async () => {
    const shared = storage()
    const held: Record<string, Promise<unknown>> = {}
    const locks = { request: (name: string, run: () => Promise<unknown>) => (held[name] = (held[name] ?? Promise.resolve()).then(run)) }
    vi.stubGlobal('navigator', { locks })
    const [one, two] = [sessionTokens({ url: 'https://chat.test', storage: shared }), sessionTokens({ url: 'https://chat.test', storage: shared })]
    one.save(session('a1', 'r1'))
    answer = () => ({ status: 200, body: session('a2', 'r2') })
    expect(await Promise.all([one.getToken({ expired: true }), two.getToken({ expired: true })])).toEqual(['a2', 'a2'])
    expect(requests).toHaveLength(1)
  })

  test('that the server no longer knows is forgotten; one that it could not be asked about is kept', async () => {
    const tokens = sessionTokens({ url: 'https://chat.test', storage: storage() })
    tokens.save(session('a1', 'r1'))
    answer = () => Promise.reject(new TypeError('offline'))
    await expect(tokens.getToken({ expired: true })).rejects.toMatchObject({ code: 'network' })
    expect(tokens.current()).not.toBeNull()
    answer = () => ({ status: 401, body: { type: '', code: 'refresh_reused', status: 401, title: 'Gone', retryable: false, request_id: 'r' } })
    await expect(tokens.getToken({ expired: true })).rejects.toMatchObject({ code: 'refresh_reused' })
    expect(tokens.current()).toBeNull()
    await expect(tokens.getToken({})).rejects.toMatchObject({ status: 401 })
  })
})

describe('what another tab stored during a refresh', () => {
  const other = (device: string, refresh: string): Session => {
    const made = session(`access of ${refresh}`, refresh)
    return { ...made, device: { ...made.device, id: device } }
  }
  // Each case: what is stored by then, and what becomes of the call.
  test.each<[string, Session | null, boolean, unknown]>([
    ['of somebody else stays when it succeeds', other('e', 'r9'), true, { code: 'token_revoked' }],
    ['of somebody else stays when it is refused', other('e', 'r9'), false, { code: 'token_revoked' }],
    ['of the same device is used', other('d', 'r9'), false, 'access of r9'],
    ['is nothing, and stays so', null, true, { code: 'token_revoked' }],
  ])('%s', async (_, stored, succeeds, outcome) => {
    const shared = storage()
    const tokens = sessionTokens({ url: 'https://chat.test', storage: shared })
    tokens.save(session('a1', 'r1'))
    answer = () => {
      if (stored) tokens.save(stored)
      else tokens.clear()
      return succeeds
        ? { status: 200, body: session('a2', 'r2') }
        : { status: 401, body: { type: '', code: 'refresh_reused', status: 401, title: '', retryable: false, request_id: 'r' } }
    }
    const got = tokens.getToken({ expired: true })
    if (typeof outcome === 'string') expect(await got).toBe(outcome)
    else await expect(got).rejects.toMatchObject(outcome as object)
    expect(tokens.current()).toEqual(stored)
  })

  test('is not cleared by a tab of another device', () => {
    const tokens = sessionTokens({ url: 'https://chat.test', storage: storage() })
    tokens.save(other('e', 'r9'))
    tokens.clear('d')
    expect(tokens.current()).not.toBeNull()
    tokens.clear('e')
    expect(tokens.current()).toBeNull()
  })
})

test.each([401, 403])("a proxy's %i does not end the session, nor is it a sign-out", async status => {
  const tokens = sessionTokens({ url: 'https://chat.test', storage: storage() })
  tokens.save(session('a1', 'r1'))
  answer = () => ({ status, body: '<html>' })
  await expect(tokens.getToken({ expired: true })).rejects.toMatchObject({ code: 'network', status })
  expect(tokens.current()).not.toBeNull()
  await expect(world('ada').client('ada').logout()).rejects.toMatchObject({ code: 'network', status })
})

describe('logout', () => {
  test('revokes the device and clears cache and outbox', async () => {
    answer = () => ({ status: 204 })
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    const kept = memoryStorage()
    const ada = await online('ada', { storage: kept })
    server.script = op => (op === 'message.send' ? 'ignore' : 'usual')
    const message = ada.rooms.get('garden').send('unsent')
    await pass(1_000)
    expect((await kept.list('')).length).toBeGreaterThan(3)
    await ada.logout()
    await settle()
    expect(requests).toMatchObject([{ url: 'https://chat.test/v1/auth/logout', headers: { authorization: 'Bearer token-ada' } }])
    expect(await kept.list('')).toEqual([])
    expect(ada.rooms.list.get()).toEqual([])
    expect(ada.me.get()).toBeNull()
    expect(ada.connection.get().state).toBe('closed')
    await expect(message.sent).rejects.toMatchObject({ code: 'cancelled' })
  })

  test('is not undone by what was on its way, in this tab or another', async () => {
    answer = () => ({ status: 204 })
    const { server, online } = world('ada', 'bob')
    server.addRoom('garden', ['ada', 'bob'])
    const kept = memoryStorage()
    const ada = await online('ada', { storage: kept })
    const tab = await online('ada', { storage: kept })
    server.slowness['event.list'] = 1_000
    const timeline = ada.rooms.get('garden').timeline()
    await pass(100)
    server.slowness = {}
    tab.rooms.get('garden').timeline()
    await settle()
    await ada.logout()
    await tab.close({ discard: true })
    await pass(3_000)
    expect(timeline.get().items).toEqual([])
    expect(await kept.list('')).toEqual([])
  })

  test('clears even if the server cannot be asked, and says so', async () => {
    answer = () => Promise.reject(new TypeError('offline'))
    const { server, online } = world('ada')
    server.addRoom('garden', ['ada'])
    const kept = memoryStorage()
    const ada = await online('ada', { storage: kept })
    await expect(ada.logout()).rejects.toMatchObject({ code: 'network' })
    expect(await kept.list('')).toEqual([])
  })
})

test('a changed password is sent with a fresh token if the old one has ended', async () => {
  answer = () =>
    requests.length === 1
      ? { status: 401, body: { type: '', code: 'token_expired', status: 401, title: '', retryable: false, request_id: 'r' } }
      : { status: 204 }
  const { client } = world('ada')
  const ada = client('ada', { getToken: async ({ expired }) => (expired ? 'new' : 'old') })
  await ada.changePassword({ currentPassword: 'a', newPassword: 'b' })
  expect(requests.map(({ headers, body }) => [headers.authorization, body.new_password])).toEqual([['Bearer old', 'b'], ['Bearer new', 'b']])
})
