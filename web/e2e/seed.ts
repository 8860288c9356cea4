// What is there before a scenario begins, made over REST: quicker than by hand, and without a browser.
export class Account {
  #sent = 0

  private constructor(
    readonly id: string,
    readonly url: string,
    readonly token: string,
  ) {}

  static async register(url: string, id: string, name: string, password: string): Promise<Account> {
    const session = await request<{ access_token: string }>(`${url}/v1/auth/register`, 'POST', { id, password, display_name: name })
    return new Account(id, url, session.access_token)
  }

  /** The direct room with somebody. */
  async direct(user: string): Promise<string> {
    return (await this.post<{ id: string }>('/v1/rooms/direct', { user })).id
  }

  async group(settings: Record<string, unknown>, invite: string[] = []): Promise<string> {
    return (await this.post<{ id: string }>('/v1/rooms', { settings, invite })).id
  }

  async join(room: string): Promise<void> {
    await this.post(`/v1/rooms/${room}/join`, {})
  }

  /** Messages in order; their client ids make repeats harmless. */
  async say(room: string, texts: string[]): Promise<void> {
    for (const text of texts) {
      this.#sent += 1
      await this.post(`/v1/rooms/${room}/messages`, { client_id: `seed-${this.#sent}`, content: { type: 'text', text } })
    }
  }

  private post<T>(path: string, body: unknown): Promise<T> {
    return request<T>(this.url + path, 'POST', body, this.token)
  }
}

async function request<T>(url: string, method: string, body: unknown, token?: string): Promise<T> {
  for (;;) {
    const answer = await fetch(url, {
      method,
      headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
      body: JSON.stringify(body),
    })
    const result = (await answer.json()) as T & { retry_after_ms?: number }
    if (answer.ok) return result
    // Seeding is faster than the server allows a person to be: it says when to go on.
    if (answer.status !== 429) throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(result)}`)
    await new Promise((go) => setTimeout(go, result.retry_after_ms ?? 100))
  }
}
