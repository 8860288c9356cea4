// REST calls: signing in and out happens without a socket.

import { restUrl } from './connection.js'
import { ChatError, fromProblem, networkError } from './errors.js'
import type { Problem } from './wire.js'

const REST_TIMEOUT_MS = 15_000

export interface RestOptions {
  token?: string
  body?: unknown
  language?: string | undefined
}

export async function rest<T>(url: string, method: string, path: string, options: RestOptions = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (options.token) headers.authorization = `Bearer ${options.token}`
  if (options.language) headers['accept-language'] = options.language
  if (options.body !== undefined) headers['content-type'] = 'application/json'
  let response: Response
  let text: string
  try {
    response = await fetch(restUrl(url) + path, {
      method,
      headers,
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: AbortSignal.timeout(REST_TIMEOUT_MS),
    })
    text = await response.text()
  } catch (error) {
    throw networkError(error instanceof Error ? error.message : 'no answer')
  }
  let answer: unknown
  try {
    answer = text ? JSON.parse(text) : undefined
  } catch {
    answer = undefined
  }
  if (response.ok) return answer as T
  if (typeof (answer as Partial<Problem> | undefined)?.code === 'string') throw fromProblem(answer as Problem)
  // Not our server's answer: a proxy's, perhaps.
  throw new ChatError('network', `HTTP ${response.status}`, { status: response.status, retryable: response.status >= 500 })
}
