// @starling/client: the framework-free core.

import type { Auth, Client, ClientOptions, SessionTokens, SessionTokensOptions } from './types.js'
export declare function createClient(options: ClientOptions): Client
export declare function auth(url: string, options?: { language?: 'en' | 'zh' }): Auth
export declare function sessionTokens(options: SessionTokensOptions): SessionTokens

export { ChatError } from './errors.js'
export type { ChatErrorCode } from './errors.js'
export type { ClientStorage } from './storage.js'
export type * from './types.js'
export type * from './wire.js'
