// The one error that the SDK throws.

import type { ErrorCode, FieldError, Problem } from './wire.js'

/** Codes of the server, and three of the SDK: no answer came, the client was closed, the message was cancelled. */
export type ChatErrorCode = ErrorCode | 'network' | 'closed' | 'cancelled'

export class ChatError extends Error {
  override readonly name = 'ChatError'
  readonly code: ChatErrorCode
  /** HTTP status, 0 for the SDK's own codes. */
  readonly status: number
  /** Whether the same call may succeed later. */
  readonly retryable: boolean
  readonly retryAfterMs?: number
  /** Names the request in the server's log. */
  readonly requestId?: string
  /** Fields that were wrong. */
  readonly errors: FieldError[]

  constructor(code: ChatErrorCode, message: string, problem?: Partial<Omit<Problem, 'code'>>) {
    super(message)
    this.code = code
    this.status = problem?.status ?? 0
    this.retryable = problem?.retryable ?? code === 'network'
    if (problem?.retry_after_ms !== undefined) this.retryAfterMs = problem.retry_after_ms
    if (problem?.request_id !== undefined) this.requestId = problem.request_id
    this.errors = problem?.errors ?? []
  }
}

export function fromProblem(problem: Problem): ChatError {
  return new ChatError(problem.code, problem.title, problem)
}

export const networkError = (why: string): ChatError => new ChatError('network', why)
export const closedError = (): ChatError => new ChatError('closed', 'the client is closed')

/** Anything thrown, as a ChatError. */
export function toChatError(error: unknown): ChatError {
  return error instanceof ChatError ? error : networkError(error instanceof Error ? error.message : String(error))
}

/** Whether a fresh token may help. */
export const needsToken = (error: ChatError): boolean => error.code === 'token_expired' || error.code === 'unauthenticated'

/** Whether this device is signed out for good. */
export const isSignedOut = (error: ChatError): boolean =>
  error.code === 'token_revoked' || error.code === 'refresh_reused' || error.code === 'user_disabled'
