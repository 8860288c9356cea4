// What the scenarios are written with: a server, people in their own browsers, and what a person does.
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test as base, type BrowserContext, type BrowserContextOptions, type Locator, type Page } from '@playwright/test'
import { Server } from './server'

const PASSWORD = 'correct horse battery'
const SHOTS = fileURLToPath(new URL('./screenshots/', import.meta.url))
mkdirSync(SHOTS, { recursive: true })

/** Everything in the page's databases, as text. Runs in the page. */
async function stored(): Promise<string> {
  const done = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  let text = ''
  for (const { name } of await indexedDB.databases()) {
    const database = await done(indexedDB.open(name ?? ''))
    for (const store of database.objectStoreNames) text += JSON.stringify(await done(database.transaction(store).objectStore(store).getAll()))
    database.close()
  }
  return text
}

export class Person {
  constructor(
    readonly id: string,
    readonly name: string,
    readonly page: Page,
    readonly context: BrowserContext,
  ) {}

  async register(url: string): Promise<this> {
    await this.page.goto(url)
    await this.page.getByRole('button', { name: 'New here? Create an account' }).click()
    await this.fillRegistration()
    return this
  }

  async fillRegistration(): Promise<void> {
    await this.page.getByRole('textbox', { name: 'User ID' }).fill(this.id)
    await this.page.getByRole('textbox', { name: 'Display name' }).fill(this.name)
    await this.page.getByRole('textbox', { name: 'Password', exact: true }).fill(PASSWORD)
    await this.page.getByRole('button', { name: 'Create account' }).click()
    await expect(this.page.getByRole('navigation', { name: 'Conversations' })).toBeVisible()
  }

  get composer(): Locator {
    return this.page.locator('.composer').getByRole('textbox')
  }

  get rooms(): Locator {
    return this.page.getByRole('list', { name: 'Conversations' })
  }

  room(name: string): Locator {
    return this.rooms.getByRole('link').filter({ hasText: name })
  }

  get log(): Locator {
    return this.page.getByRole('log')
  }

  message(text: string): Locator {
    return this.log.getByRole('article').filter({ has: this.page.getByText(text, { exact: true }) })
  }

  status(text: string, status: string): Locator {
    return this.message(text).getByRole('img', { name: status, exact: true })
  }

  /** The texts of all messages shown, in order. */
  async texts(): Promise<string[]> {
    return this.log.locator('.message-text p').evaluateAll((all) =>
      all.map((p) => [...p.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.textContent).join('')),
    )
  }

  async find(other: Person): Promise<void> {
    await this.page.getByRole('searchbox').fill(other.id)
    await this.page.getByRole('list', { name: 'People' }).getByRole('button', { name: `@${other.id}` }).click()
    await expect(this.page.getByRole('heading', { name: other.name, level: 1 })).toBeVisible()
  }

  async open(room: string): Promise<void> {
    await this.room(room).click()
    await expect(this.page.getByRole('heading', { name: room, level: 1 })).toBeVisible()
  }

  async say(...texts: string[]): Promise<void> {
    for (const text of texts) {
      await this.composer.fill(text)
      await this.composer.press('Enter')
    }
  }

  /** Opens a message's menu by the keyboard and picks an entry. */
  async act(text: string, action: string): Promise<void> {
    await this.message(text).focus()
    await this.message(text).press('Enter')
    await this.page.getByRole('menu').getByRole('menuitem', { name: action }).click()
  }

  /** What this browser keeps of the conversations, as text. */
  stored(): Promise<string> {
    return this.page.evaluate(stored)
  }

  async shot(name: string): Promise<void> {
    await this.page.screenshot({ path: `${SHOTS}${name}.png` })
  }
}

interface Stage {
  server: Server
  person: (id: string, name: string, options?: BrowserContextOptions) => Promise<Person>
}

export const test = base.extend<Stage>({
  server: async ({}, use) => {
    const server = new Server()
    await server.start()
    await use(server)
    await server.end()
  },
  person: async ({ browser }, use) => {
    const contexts: BrowserContext[] = []
    const problems: string[] = []
    await use(async (id, name, options) => {
      const context = await browser.newContext(options)
      contexts.push(context)
      const page = await context.newPage()
      page.on('pageerror', (error) => problems.push(`${id}: ${error.message}`))
      page.on('console', (message) => {
        if (/Content Security Policy/.test(message.text())) problems.push(`${id}: ${message.text()}`)
      })
      return new Person(id, name, page, context)
    })
    for (const context of contexts) await context.close()
    expect(problems, 'errors in the pages').toEqual([])
  },
})

export { expect }
