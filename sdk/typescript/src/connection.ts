// The one socket: handshake, requests and their responses, pings, token renewal, and coming back after any loss.
// What is unknown after a loss (was the request done?) is left to the caller; `call` repeats, because every request of
// the SDK is safe to repeat.

import { backoff, sleep } from './backoff.js'
import { ChatError, closedError, fromProblem, isSignedOut, needsToken, networkError, toChatError } from './errors.js'
import { isOffline } from './page.js'
import { Value } from './store.js'
import type { Tokens } from './tokens.js'
import type { ConnectionStatus } from './types.js'
import type { Connected, Operations, Push, Response } from './wire.js'

const REQUEST_TIMEOUT_MS = 15_000
const PROBE_TIMEOUT_MS = 5_000
const RENEW_BEFORE_MS = 60_000
const RENEW_RETRY_MS = 20_000
/** A connection that lasted this long was a good one: the next loss starts the back-off anew. */
const STABLE_AFTER_MS = 5_000
const REQUESTS_IN_FLIGHT_MAX = 32
/** How often a call is repeated when the server says "later" or the connection dies under it. */
const CALL_ATTEMPTS_MAX = 5
/** The server closes on larger ones, and the repeat would be closed on again: no text and data that it takes need more. */
const FRAME_BYTES_MAX = 65_536
const TIMER_MAX_MS = 2 ** 31 - 1
const CLOSE_UNAUTHENTICATED = 4401

export type Op = keyof Operations
export type Params<K extends Op> = Operations[K]['params']
export type Result<K extends Op> = Operations[K]['result']

export interface ConnectionOptions {
  url: string
  WebSocket: new (url: string) => WebSocket
  tokens: Tokens
  /** The commit up to which everything is known. */
  since(): number
  /** Called before the state becomes `online`, and before any push. */
  connected(answer: Connected): void
  push(push: Push): void
}

type TimerName = 'retry' | 'handshake' | 'ping' | 'renew' | 'stable' | 'drain'

interface Pending {
  frame: string
  timeoutMs: number
  timer?: ReturnType<typeof setTimeout>
  resolve(result: unknown): void
  reject(error: ChatError): void
}

export class Connection {
  readonly status = new Value<ConnectionStatus>({ state: 'idle' })
  readonly #options: ConnectionOptions
  #socket: WebSocket | undefined
  /** Attempts and sockets of an earlier run compare unequal and stop. */
  #run = 0
  #failures = 0
  #wantsFreshToken = false
  #hadFreshToken = false
  #drainingUntil = 0
  #lastSentAt = 0
  #nextId = 1
  readonly #pending = new Map<number, Pending>()
  #waiting: [id: number, request: Pending][] = []
  readonly #timers = new Map<TimerName, ReturnType<typeof setTimeout>>()

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  open(): void {
    const { state } = this.status.get()
    if (state !== 'idle' && state !== 'closed') return
    this.#failures = 0
    this.#hadFreshToken = this.#wantsFreshToken = false
    void this.#attempt('connecting')
  }

  close(error?: ChatError): void {
    this.#drop(error ?? closedError())
    this.status.set(error ? { state: 'closed', error } : { state: 'closed' })
  }

  get online(): boolean {
    return this.status.get().state === 'online'
  }

  /** Resolves when online; rejects when closed. Before the first `open` it waits. */
  whenOnline(): Promise<void> {
    return new Promise((resolve, reject) => {
      let off: (() => void) | undefined
      let done = false
      off = this.status.subscribe(({ state, error }) => {
        if (state !== 'online' && state !== 'closed') return
        done = true
        off?.()
        if (state === 'online') resolve()
        else reject(error ?? closedError())
      })
      if (done) off()
    })
  }

  /** Sends once, on the present connection. Fails with `network` when it is not known what became of the request. */
  async request<K extends Op>(op: K, params: Params<K>, timeoutMs = REQUEST_TIMEOUT_MS): Promise<Result<K>> {
    const { state, error } = this.status.get()
    if (state === 'closed') throw error ?? closedError()
    if (state !== 'online') throw networkError('not connected')
    return this.#send(op, params, timeoutMs)
  }

  /** Waits for a connection, and repeats after losses and when the server says "later". */
  async call<K extends Op>(op: K, params: Params<K>): Promise<Result<K>> {
    for (let attempt = 1; ; attempt++) {
      await this.whenOnline()
      try {
        return await this.request(op, params)
      } catch (thrown) {
        const error = toChatError(thrown)
        if (!error.retryable || attempt >= CALL_ATTEMPTS_MAX) throw error
        if (error.code !== 'network') await sleep(error.retryAfterMs ?? backoff(attempt))
      }
    }
  }

  /** The network is back or somebody looks: try now, or see whether the socket is still alive. */
  wake(): void {
    if (this.#timers.has('retry')) void this.#attempt('reconnecting')
    else if (this.online) this.#send('ping', {}, PROBE_TIMEOUT_MS).catch(() => {})
  }

  /** Somebody asks for it: no waiting, and the waits begin small again. */
  tryNow(): void {
    this.#failures = 0
    this.wake()
  }

  /** The device lost its network. */
  networkLost(): void {
    const { state } = this.status.get()
    if (this.#socket && state !== 'closed') this.#lost(networkError('the device is offline'))
    else if (state === 'reconnecting') this.status.set({ ...this.status.get(), state: 'offline' })
  }

  async #attempt(state: 'connecting' | 'reconnecting'): Promise<void> {
    const run = ++this.#run
    this.#clearTimer('retry')
    const before = this.status.get()
    this.status.set({
      state: state === 'reconnecting' && isOffline() ? 'offline' : state,
      ...(before.error && state === 'reconnecting' ? { error: before.error } : {}),
    })
    try {
      const fresh = this.#wantsFreshToken
      const token = await this.#options.tokens.get(fresh)
      if (run !== this.#run) return
      this.#wantsFreshToken = false
      this.#hadFreshToken = fresh
      this.#openSocket(token, run)
    } catch (error) {
      if (run === this.#run) this.#lost(toChatError(error))
    }
  }

  #openSocket(token: string, run: number): void {
    const socket = (this.#socket = new this.#options.WebSocket(socketUrl(this.#options.url)))
    this.#setTimer('handshake', REQUEST_TIMEOUT_MS, () => this.#lost(networkError('the server did not answer in time')))
    socket.onopen = () => {
      const params = { token, since: this.#options.since() }
      this.#send('connect', params, REQUEST_TIMEOUT_MS).then(
        answer => run === this.#run && this.#connected(answer),
        error => run === this.#run && this.#lost(toChatError(error)),
      )
    }
    socket.onmessage = ({ data }) => run === this.#run && this.#received(String(data))
    socket.onclose = ({ code }) => {
      if (run !== this.#run) return
      if (code === CLOSE_UNAUTHENTICATED) this.#lost(new ChatError('unauthenticated', 'the session ended', { status: 401 }))
      else this.#lost(networkError(`the connection was closed (${code})`))
    }
  }

  #connected(answer: Connected): void {
    this.#clearTimer('handshake')
    this.#hadFreshToken = false
    this.#options.connected(answer)
    this.#setTimer('stable', STABLE_AFTER_MS, () => (this.#failures = 0))
    this.#schedulePing(answer.ping_interval_ms)
    this.#scheduleRenewal(answer.expires_at)
    this.status.set({ state: 'online' })
  }

  #received(data: string): void {
    let frame: Response | Push
    try {
      frame = JSON.parse(data) as Response | Push
    } catch {
      this.#lost(networkError('the server sent something that is not JSON'))
      return
    }
    if ('push' in frame) {
      if (frame.push === 'draining') this.#draining(frame.reconnect_after_ms)
      this.#options.push(frame)
      return
    }
    const request = this.#pending.get(frame.id)
    if (!request) return
    this.#pending.delete(frame.id)
    clearTimeout(request.timer)
    if (frame.error) request.reject(fromProblem(frame.error))
    else request.resolve(frame.result ?? {})
    this.#flush()
  }

  #send<K extends Op>(op: K, params: Params<K>, timeoutMs: number): Promise<Result<K>> {
    const id = this.#nextId++
    const frame = JSON.stringify({ id, op, params })
    if (tooLarge(frame)) return Promise.reject(new ChatError('payload_too_large', 'the request is too large', { status: 413 }))
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#waiting.push([id, { frame, timeoutMs, resolve, reject }])
    })
    this.#flush()
    return answer.catch((error: ChatError) => {
      // The token ended under a request: it was not done, and is as good as lost.
      if (op === 'connect' || !needsToken(error)) throw error
      this.#lost(error)
      throw networkError(error.message)
    }) as Promise<Result<K>>
  }

  /** The server bounds what it works on at once; the rest waits here, in order. */
  #flush(): void {
    const socket = this.#socket
    if (socket?.readyState !== 1) return
    while (this.#waiting.length > 0 && this.#pending.size < REQUESTS_IN_FLIGHT_MAX) {
      const [id, request] = this.#waiting.shift() as [number, Pending]
      request.timer = setTimeout(() => this.#lost(networkError('the server did not answer in time')), request.timeoutMs)
      this.#pending.set(id, request)
      this.#lastSentAt = Date.now()
      socket.send(request.frame)
    }
  }

  #schedulePing(intervalMs: number): void {
    const idleMs = Date.now() - this.#lastSentAt
    this.#setTimer('ping', Math.max(intervalMs - idleMs, 0), () => {
      if (Date.now() - this.#lastSentAt >= intervalMs) this.#send('ping', {}, REQUEST_TIMEOUT_MS).catch(() => {})
      this.#schedulePing(intervalMs)
    })
  }

  #scheduleRenewal(expiresAt: number): void {
    // At least RENEW_RETRY_MS apart: a clock that is ahead of the server's must not renew in a loop.
    this.#setTimer('renew', Math.max(expiresAt - Date.now() - RENEW_BEFORE_MS, RENEW_RETRY_MS), async () => {
      const run = this.#run
      try {
        const token = await this.#options.tokens.get(true)
        if (run !== this.#run) return
        const renewed = await this.#send('token.renew', { token }, REQUEST_TIMEOUT_MS)
        this.#scheduleRenewal(renewed.expires_at)
      } catch (error) {
        if (run !== this.#run) return
        if (isSignedOut(toChatError(error))) this.#lost(toChatError(error))
        else this.#scheduleRenewal(0)
      }
    })
  }

  #draining(afterMs: number): void {
    this.#drainingUntil = Date.now() + afterMs
    this.#setTimer('drain', afterMs, () => this.#lost(networkError('the server is restarting')))
  }

  /** The connection, or the attempt at one, ended: decide what comes next. */
  #lost(error: ChatError): void {
    const wasOnline = this.online
    this.#drop(networkError(error.message))
    if (isSignedOut(error) || (refusesForGood(error) && !(needsToken(error) && !this.#hadFreshToken))) {
      this.status.set({ state: 'closed', error })
      return
    }
    if (needsToken(error)) {
      this.#wantsFreshToken = true
      // A token that merely ended is no reason to wait. One that ends as soon as it is used would be.
      if (this.#failures === 0 || !wasOnline) {
        this.#failures++
        this.status.set({ state: 'reconnecting', error })
        void this.#attempt('reconnecting')
        return
      }
    }
    const waitMs = Math.max(
      wasOnline && this.#drainingUntil > Date.now() ? this.#drainingUntil - Date.now() : backoff(this.#failures),
      error.retryAfterMs ?? 0,
    )
    this.#failures++
    this.status.set({ state: isOffline() ? 'offline' : 'reconnecting', retryAt: Date.now() + waitMs, error })
    this.#setTimer('retry', waitMs, () => void this.#attempt('reconnecting'))
  }

  /** Forgets the socket and fails all that waited for an answer. */
  #drop(error: ChatError): void {
    this.#run++
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    const socket = this.#socket
    this.#socket = undefined
    const failed = [...this.#pending.values(), ...this.#waiting.map(([, request]) => request)]
    this.#pending.clear()
    this.#waiting = []
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null
      socket.close()
    }
    // The state changes before the callers hear of it, so that they don't send into nothing.
    if (this.online) this.status.set({ state: isOffline() ? 'offline' : 'reconnecting', error })
    for (const request of failed) {
      clearTimeout(request.timer)
      request.reject(error)
    }
  }

  #setTimer(name: TimerName, ms: number, run: () => void): void {
    this.#clearTimer(name)
    const timer = setTimeout(() => {
      this.#timers.delete(name)
      run()
    }, Math.min(ms, TIMER_MAX_MS))
    this.#timers.set(name, timer)
  }

  #clearTimer(name: TimerName): void {
    clearTimeout(this.#timers.get(name))
    this.#timers.delete(name)
  }
}

/** Refusals of the handshake or of the token source that another attempt can't change. */
const refusesForGood = (error: ChatError): boolean => !error.retryable && error.code !== 'network' && error.status < 500

/** A character is at most three bytes: most frames needn't be counted. */
const tooLarge = (frame: string): boolean =>
  frame.length * 3 > FRAME_BYTES_MAX && new TextEncoder().encode(frame).length > FRAME_BYTES_MAX

/** `https://host/base` → `wss://host/base/v1/ws`; '' is the page's origin. */
export function socketUrl(url: string): string {
  return restUrl(url).replace(/^http/, 'ws') + '/v1/ws'
}

export function restUrl(url: string): string {
  return (url || globalThis.location?.origin || '').replace(/\/+$/, '')
}
