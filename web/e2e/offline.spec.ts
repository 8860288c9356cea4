import { expect, test } from './fixture'

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

test('written offline, each message arrives once and in order', async ({ server, person }) => {
  const ada = await (await person('ada', 'Ada')).register(server.url)
  const bob = await (await person('bob', 'Bob')).register(server.url)
  await ada.find(bob)
  await ada.say('before')
  await bob.page.bringToFront()
  await bob.open('Ada')
  await expect(bob.message('before')).toBeVisible()

  await ada.context.setOffline(true)
  await expect(ada.page.getByRole('status').getByText(/offline/)).toBeVisible()
  await ada.say('one', 'two', 'three')
  await expect(ada.status('three', 'Waiting to be sent')).toBeVisible()
  await ada.shot('offline')
  await bob.say('meanwhile')
  await expect(bob.message('one')).toHaveCount(0)

  await ada.context.setOffline(false)
  await expect(ada.page.getByText('Back online')).toBeVisible()
  await expect(ada.message('meanwhile')).toBeVisible()
  await expect(bob.message('three')).toBeVisible()
  const expected = ['before', 'meanwhile', 'one', 'two', 'three']
  await expect.poll(() => ada.texts()).toEqual(expected)
  expect(await bob.texts()).toEqual(expected)
  await expect(ada.status('three', 'Read')).toBeVisible()
  await ada.shot('offline-back')
})

test('a reload keeps the session and what was not sent yet', async ({ server, person }) => {
  const ada = await (await person('ada', 'Ada')).register(server.url)
  const bob = await (await person('bob', 'Bob')).register(server.url)
  await ada.find(bob)
  await ada.say('sent before')
  await expect(bob.room('Ada')).toBeVisible()
  await expect(ada.message('sent before').getByRole('img', { name: /Sent|Delivered/ })).toBeVisible()

  await server.kill()
  await ada.say('kept over the reload')
  await expect(ada.status('kept over the reload', 'Waiting to be sent')).toBeVisible()
  await ada.composer.fill('a draft')
  await server.start()
  await ada.page.reload()
  await expect(ada.composer).toHaveValue('a draft')
  await expect(ada.message('kept over the reload').getByRole('img', { name: /Sent|Delivered/ })).toBeVisible()
  await expect.poll(() => ada.texts()).toEqual(['sent before', 'kept over the reload'])
  await bob.page.bringToFront()
  await bob.open('Ada')
  await expect.poll(() => bob.texts()).toEqual(['sent before', 'kept over the reload'])
  await ada.shot('reload')
})

test('the client opens without the server, shows what it knows, and sends later', async ({ server, person }) => {
  const ada = await (await person('ada', 'Ada')).register(server.url)
  const bob = await (await person('bob', 'Bob')).register(server.url)
  await ada.find(bob)
  await ada.say('known before')
  await expect(ada.message('known before').getByRole('img', { name: /Sent|Delivered/ })).toBeVisible()
  // The client's files, the conversation and the names are kept on this device.
  await expect.poll(() => ada.page.evaluate(async () => Boolean(await (await caches.open('starling-shell-1')).match('/')))).toBe(true)
  await expect.poll(() => ada.page.evaluate(stored)).toContain('known before')
  await expect.poll(() => ada.page.evaluate(stored)).toContain('"display_name":"Bob"')

  await server.kill()
  await ada.page.reload()
  await expect(ada.page.getByRole('heading', { name: 'Bob', level: 1 })).toBeVisible()
  await expect(ada.message('known before')).toBeVisible()
  await ada.say('written without a server')
  await expect(ada.status('written without a server', 'Waiting to be sent')).toBeVisible()
  await ada.shot('no-server')
  await server.start()
  await expect(ada.message('written without a server').getByRole('img', { name: /Sent|Delivered/ })).toBeVisible({ timeout: 40_000 })
  await bob.page.bringToFront()
  await bob.open('Ada')
  await expect.poll(() => bob.texts()).toEqual(['known before', 'written without a server'])
})
