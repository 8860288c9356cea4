// @starling/client: the framework-free core.

export { auth, sessionTokens } from './auth.js'
export { createClient } from './client.js'
export { ChatError } from './errors.js'
export type { ChatErrorCode } from './errors.js'
export type { ClientStorage } from './storage.js'
export type * from './types.js'
export type * from './wire.js'
