// @vitest-environment node
// The service worker, in a world of its own.
import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'

const source = readFileSync(new URL('../public/sw.js', import.meta.url), 'utf8')

/** Opens the page once for each answer; gives what the reader gets. */
async function visits(answers: (Response | Error)[]): Promise<string[]> {
  const kept = new Map<string, Response>()
  const store = {
    match: async (key: string) => kept.get(key)?.clone(),
    put: async (key: string, answer: Response) => void kept.set(key, answer),
    keys: async () => [],
  }
  const listeners = new Map<string, (event: unknown) => void>()
  const self = { addEventListener: (name: string, listener: (event: unknown) => void) => listeners.set(name, listener), location: { origin: 'https://chat.test' } }
  let answer: Response | Error | undefined
  const fetch = async () => {
    if (answer instanceof Response) return answer
    throw answer
  }
  runInNewContext(source, { self, caches: { open: async () => store }, fetch, URL })
  const shown: string[] = []
  for (answer of answers) {
    let response: Promise<Response> | undefined
    const request = { method: 'GET', url: 'https://chat.test/', mode: 'navigate' }
    listeners.get('fetch')?.({ request, respondWith: (given: Promise<Response>) => (response = given) })
    shown.push(await Promise.resolve(response).then((given) => given?.text() ?? '', (error: Error) => error.message))
  }
  return shown
}

test('the kept page stands in for a server that is away or down', async () => {
  const page = () => new Response('the page')
  expect(await visits([page(), new TypeError('offline'), new Response('Bad gateway', { status: 502 })])).toEqual(['the page', 'the page', 'the page'])
  expect(await visits([new Response('Bad gateway', { status: 502 })])).toEqual(['Bad gateway'])
  expect(await visits([page(), new Response('gone', { status: 404 })])).toEqual(['the page', 'gone'])
})
