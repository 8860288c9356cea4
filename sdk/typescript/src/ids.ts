// Ids that the client makes: they make a repeated request safe, so they must never collide.

/** 128 random bits. (`crypto.randomUUID` is missing on pages served without TLS.) */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
}
