// The access token of the running client: asked for once, kept, asked for anew when it is about to end or was refused.

import { networkError } from './errors.js'
import type { GetToken } from './types.js'

const GET_TOKEN_TIMEOUT_MS = 30_000

export class Tokens {
  readonly #getToken: GetToken
  #token: string | undefined
  #asking: Promise<string> | undefined
  #abort: AbortController | undefined

  constructor(getToken: GetToken) {
    this.#getToken = getToken
  }

  /** `fresh`: the kept one will not do. Callers at the same time share one question. */
  async get(fresh = false): Promise<string> {
    if (this.#token !== undefined && !fresh) return this.#token
    if (this.#asking) return this.#asking
    const asking = this.#ask(fresh).finally(() => {
      if (this.#asking === asking) this.#asking = undefined
    })
    return (this.#asking = asking)
  }

  /** Forgets the token and gives up asking. */
  clear(): void {
    this.#token = this.#asking = undefined
    this.#abort?.abort()
  }

  async #ask(expired: boolean): Promise<string> {
    const abort = (this.#abort = new AbortController())
    const timer = setTimeout(() => abort.abort(), GET_TOKEN_TIMEOUT_MS)
    const aborted = new Promise<never>((_, reject) => {
      abort.signal.addEventListener('abort', () => reject(networkError('no token came in time')))
    })
    try {
      const token = await Promise.race([this.#getToken({ signal: abort.signal, expired }), aborted])
      if (this.#abort === abort) this.#token = token
      return token
    } finally {
      clearTimeout(timer)
    }
  }
}
