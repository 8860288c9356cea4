// Signing in, and a token source that keeps a session over reloads and shares it between tabs.

import { ChatError, toChatError } from './errors.js'
import { rest } from './rest.js'
import type { Auth, GetToken, SessionTokens, SessionTokensOptions } from './types.js'
import type { Session } from './wire.js'

const REFRESH_BEFORE_MS = 60_000

export function auth(url: string, options: { language?: 'en' | 'zh' } = {}): Auth {
  const { language } = options
  const post = <T>(path: string, body: unknown) => rest<T>(url, 'POST', path, { body, language })
  return {
    server: () => rest(url, 'GET', '/v1/server', { language }),
    register: r =>
      post('/v1/auth/register', {
        app: r.app, id: r.id, password: r.password, display_name: r.displayName, device_name: r.deviceName, setup_token: r.setupToken,
      }),
    login: r => post('/v1/auth/login', { app: r.app, id: r.id, password: r.password, device_name: r.deviceName }),
    refresh: refreshToken => post('/v1/auth/refresh', { refresh_token: refreshToken }),
    logout: token => rest(url, 'POST', '/v1/auth/logout', { token, language }),
  }
}

export function sessionTokens(options: SessionTokensOptions): SessionTokens {
  const storage = options.storage ?? globalThis.localStorage
  const key = options.key ?? 'starling.session'
  let refreshing: Promise<string> | undefined

  function current(): Session | null {
    try {
      return JSON.parse(storage.getItem(key) ?? 'null') as Session | null
    } catch {
      return null
    }
  }
  const save = (session: Session) => storage.setItem(key, JSON.stringify(session))
  const clear = (device?: string) => {
    if (device === undefined || current()?.device.id === device) storage.removeItem(key)
  }

  /** `used`: the access token that no longer does. Whoever gets the lock later finds a new one and takes that. */
  async function refresh(used: string): Promise<string> {
    const session = current()
    if (!session) throw signedOut()
    if (session.access_token !== used && !endsSoon(session)) return session.access_token
    let next: Session | undefined
    let error: ChatError | undefined
    try {
      next = await auth(options.url).refresh(session.refresh_token)
    } catch (thrown) {
      error = toChatError(thrown)
    }
    const now = current()
    // Meanwhile another tab has refreshed, signed out or signed in: what it stored stays.
    if (now?.refresh_token !== session.refresh_token) {
      if (now?.device.id === session.device.id) return now.access_token
      throw signedOut()
    }
    if (next) {
      save(next)
      return next.access_token
    }
    // A proxy's refusal says nothing about the session.
    if (error?.code !== 'network' && (error?.status === 401 || error?.status === 403)) clear()
    throw error
  }

  const getToken: GetToken = async ({ expired }) => {
    const session = current()
    if (!session) throw signedOut()
    if (!expired && !endsSoon(session)) return session.access_token
    // A refresh token works once, so of all tabs only one may use it.
    const locked = () => withLock(`${key}.refresh`, () => refresh(session.access_token))
    return (refreshing ??= locked().finally(() => (refreshing = undefined)))
  }

  return { getToken, current, save, clear }
}

const endsSoon = (session: Session) => session.access_expires_at - Date.now() < REFRESH_BEFORE_MS

const signedOut = () => new ChatError('token_revoked', 'sign in first', { status: 401 })

function withLock<T>(name: string, run: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks
  return locks ? (locks.request(name, run) as Promise<T>) : run()
}
