import { expect, test } from './fixture'

const ROUNDS = 12

test('the server dies in mid-conversation: nothing acknowledged is missing, nothing is doubled, both heal', async ({ server, person }) => {
  const ada = await (await person('ada', 'Ada')).register(server.url)
  const bob = await (await person('bob', 'Bob')).register(server.url)
  await ada.find(bob)
  await ada.say('hello')
  await bob.page.bringToFront()
  await bob.open('Ada')
  await expect(bob.message('hello')).toBeVisible()

  const said: string[] = ['hello']
  const talk = async (from: number, to: number) => {
    for (let i = from; i < to; i += 1) {
      await ada.say(`a${i}`)
      await bob.say(`b${i}`)
      said.push(`a${i}`, `b${i}`)
    }
  }
  await talk(0, ROUNDS / 2)
  await server.kill()
  // What either had seen acknowledged when the server died must be there for both afterwards.
  const acknowledged = (page: typeof ada.page) =>
    page.locator('.message.mine:is([data-status="sent"], [data-status="delivered"], [data-status="read"])').evaluateAll((all) => all.map((one) => one.getAttribute('data-seq')))
  const kept = { ada: await acknowledged(ada.page), bob: await acknowledged(bob.page) }
  await talk(ROUNDS / 2, ROUNDS)
  await expect(ada.page.getByRole('status').getByText(/Connection lost/).first()).toBeVisible()
  await ada.shot('killed')

  await server.start()
  for (const one of [ada, bob]) {
    await expect.poll(async () => [...(await one.texts())].sort(), { timeout: 40_000 }).toEqual([...said].sort())
    await expect(one.page.locator('.message.mine:is([data-status="queued"], [data-status="sending"], [data-status="failed"])')).toHaveCount(0)
    for (const seq of kept[one.id as 'ada' | 'bob']) await expect(one.page.locator(`[data-seq="${seq}"]`)).toHaveCount(1)
  }
  const [left, right] = [await ada.texts(), await bob.texts()]
  expect(left).toEqual(right)
  for (const who of ['a', 'b']) {
    expect(left.filter((text) => text.startsWith(who)), 'each sender’s order').toEqual(Array.from({ length: ROUNDS }, (_, i) => `${who}${i}`))
  }
  await expect(ada.page.getByRole('status').getByText(/Connection lost/)).toHaveCount(0)
  for (const one of [ada, bob]) {
    await expect(one.log.getByRole('article').last()).toBeInViewport()
    await expect(one.page.getByRole('button', { name: /Jump to latest/ })).toHaveCount(0)
  }
  await ada.shot('restarted')
})
