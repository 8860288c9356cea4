// Values that can be watched: one that is set, and one that is computed when somebody looks.

import type { Store } from './types.js'

/** An error in a listener is the application's: it is reported, and the other listeners are still called. */
export function call<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

/** A value that is set. Listeners are called at once. */
export class Value<T> implements Store<T> {
  #value: T
  readonly #listeners = new Set<(value: T) => void>()

  constructor(value: T) {
    this.#value = value
  }

  get(): T {
    return this.#value
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return
    this.#value = value
    for (const listener of [...this.#listeners]) call(listener, value)
  }

  subscribe(listener: (value: T) => void): () => void {
    // Each subscription is its own, even of the same function.
    const own = (value: T) => listener(value)
    this.#listeners.add(own)
    call(own, this.#value)
    return () => this.#listeners.delete(own)
  }
}

/** A value computed from others. Many changes in one turn of the event loop become one call of the listeners. */
export class Computed<T> implements Store<T> {
  readonly #compute: () => T
  readonly #watched: ((watched: boolean) => void) | undefined
  readonly #listeners = new Set<(value: T) => void>()
  #cached: { value: T } | undefined
  #scheduled = false

  /** `watched` is told when the first listener comes and the last one goes. */
  constructor(compute: () => T, watched?: (watched: boolean) => void) {
    this.#compute = compute
    this.#watched = watched
  }

  get(): T {
    return (this.#cached ??= { value: this.#compute() }).value
  }

  invalidate(): void {
    this.#cached = undefined
    if (this.#scheduled || this.#listeners.size === 0) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      const value = this.get()
      for (const listener of [...this.#listeners]) call(listener, value)
    })
  }

  subscribe(listener: (value: T) => void): () => void {
    const own = (value: T) => listener(value)
    this.#listeners.add(own)
    if (this.#listeners.size === 1) this.#watched?.(true)
    call(own, this.get())
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#watched?.(false)
    }
  }
}
