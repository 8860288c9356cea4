// One message on its way to the server.

import { ChatError } from './errors.js'
import { Value } from './store.js'
import type { OutgoingMessage, OutgoingState } from './types.js'
import type { Content, Receipt } from './wire.js'

/** As it is stored. */
export interface OutboxEntry {
  room: string
  /** Ascending in the order of sending. */
  order: number
  clientId: string
  content: Content
  replyTo?: number
  at: number
  /** The tab that sends it. */
  tab: string
  /** The device it is or was sent as: the server knows repeats by device. */
  device?: string
  /** Why it was refused. */
  failed?: { code: ChatError['code']; message: string; status: number }
}

export class Outgoing extends Value<OutgoingState> implements OutgoingMessage {
  readonly entry: OutboxEntry
  readonly #actions: { retry(message: Outgoing): void; cancel(message: Outgoing): void }
  #sent!: PromiseWithResolvers<{ seq: number; commit: number }>

  constructor(entry: OutboxEntry, actions: { retry(message: Outgoing): void; cancel(message: Outgoing): void }) {
    const { failed } = entry
    super(failed ? { status: 'failed', error: new ChatError(failed.code, failed.message, failed) } : { status: 'queued' })
    this.entry = entry
    this.#actions = actions
    this.#promise()
    if (failed) this.#sent.reject(this.get().error)
  }

  get clientId(): string {
    return this.entry.clientId
  }

  /** After `retry` a new promise. */
  get sent(): Promise<{ seq: number; commit: number }> {
    return this.#sent.promise
  }

  retry(): void {
    if (this.get().status === 'failed') this.#actions.retry(this)
  }

  cancel(): void {
    if (this.get().status !== 'sent') this.#actions.cancel(this)
  }

  queued(): void {
    if (this.get().status === 'failed') {
      this.#promise()
      delete this.entry.failed
    }
    this.set({ status: 'queued' })
  }

  sending(): void {
    this.set({ status: 'sending' })
  }

  accepted(receipt: Receipt): void {
    this.set({ status: 'sent', receipt })
    this.#sent.resolve({ seq: receipt.seq, commit: receipt.commit })
  }

  refused(error: ChatError): void {
    this.entry.failed = { code: error.code, message: error.message, status: error.status }
    this.set({ status: 'failed', error })
    this.#sent.reject(error)
  }

  #promise(): void {
    let resolve!: (sent: { seq: number; commit: number }) => void
    let reject!: (error: unknown) => void
    const promise = new Promise<{ seq: number; commit: number }>((yes, no) => {
      resolve = yes
      reject = no
    })
    // Who doesn't look at `sent` sees the failure in the status.
    promise.catch(() => {})
    this.#sent = { promise, resolve, reject }
  }
}

interface PromiseWithResolvers<T> {
  promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}
