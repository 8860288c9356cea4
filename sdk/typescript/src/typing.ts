// Typing, both ways. It is never stored and never retried: what doesn't arrive is not worth arriving late.

import type { Core } from './core.js'
import { Computed } from './store.js'
import type { User } from './wire.js'

const REPEAT_AFTER_MS = 4_000
const IDLE_AFTER_MS = 5_000
/** The server says that typing ends by itself after 6 s; a little more for the way. */
const EXPIRES_AFTER_MS = 6_500

export class Typing {
  readonly users: Computed<User[]>
  readonly #core: Core
  readonly #room: string
  readonly #typing = new Map<string, ReturnType<typeof setTimeout>>()
  #saidAt = -Infinity
  #idle: ReturnType<typeof setTimeout> | undefined

  constructor(core: Core, room: string) {
    this.#core = core
    this.#room = room
    this.users = new Computed(() => [...this.#typing.keys()].map(id => core.users.known(id)))
  }

  keystroke(): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => this.stop(), IDLE_AFTER_MS)
    if (Date.now() - this.#saidAt < REPEAT_AFTER_MS) return
    this.#saidAt = Date.now()
    this.#say(true)
  }

  stop(): void {
    clearTimeout(this.#idle)
    if (this.#saidAt === -Infinity) return
    this.#saidAt = -Infinity
    this.#say(false)
  }

  /** Somebody else types, or has stopped. */
  heard(user: string, typing: boolean): void {
    clearTimeout(this.#typing.get(user))
    if (typing) this.#typing.set(user, setTimeout(() => this.heard(user, false), EXPIRES_AFTER_MS))
    else if (!this.#typing.delete(user)) return
    this.users.invalidate()
  }

  clear(): void {
    clearTimeout(this.#idle)
    for (const timer of this.#typing.values()) clearTimeout(timer)
    this.#typing.clear()
    this.users.invalidate()
  }

  #say(typing: boolean): void {
    this.#core.connection.request('typing.set', { room: this.#room, typing }).catch(() => {})
  }
}
