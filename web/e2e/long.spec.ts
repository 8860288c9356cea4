import { expect, test, type Person } from './fixture'
import { Account } from './seed'

const MESSAGES = 2_000
/** What the client keeps of a conversation, and a little for separators. */
const ROWS_MAX = 620

/** Scrolls to an end of what is loaded, again and again, until a message is there; what is read must not jump. */
async function travel(person: Person, towards: 'top' | 'bottom', goal: string): Promise<{ rowsMax: number; jumpMax: number }> {
  return person.page.evaluate(
    async ({ towards, goal }) => {
      const view = document.querySelector<HTMLElement>('.timeline-view')!
      const list = document.querySelector<HTMLElement>('.timeline-list')!
      const rows = () => [...list.querySelectorAll<HTMLElement>('.message')]
      const frame = () => new Promise(requestAnimationFrame)
      let rowsMax = 0
      let jumpMax = 0
      view.dispatchEvent(new WheelEvent('wheel', { bubbles: true }))
      for (;;) {
        const all = rows()
        rowsMax = Math.max(rowsMax, all.length)
        const at = view.getBoundingClientRect()
        if (all.some((row) => row.textContent?.includes(goal) && row.getBoundingClientRect().bottom > at.top && row.getBoundingClientRect().top < at.bottom)) return { rowsMax, jumpMax }
        view.scrollBy(0, (towards === 'top' ? -1 : 1) * view.clientHeight * 0.8)
        await frame()
        // A row in sight; whatever is loaded and dropped in the next frames, it stays where it is.
        const seen = rows().find((row) => row.getBoundingClientRect().top >= at.top)
        const before = seen?.getBoundingClientRect().top ?? 0
        for (let frames = 0; frames < 6; frames += 1) {
          await frame()
          if (seen?.isConnected) jumpMax = Math.max(jumpMax, Math.abs(seen.getBoundingClientRect().top - before))
          else if (seen) jumpMax = Infinity
        }
      }
    },
    { towards, goal },
  )
}

test('two thousand messages stay light: from the newest to the oldest and back', async ({ server, person }) => {
  test.setTimeout(180_000)
  const ada = await (await person('ada', 'Ada')).register(server.url)
  const bob = await Account.register(server.url, 'bob', 'Bob', 'correct horse battery')
  const room = await bob.direct('ada')
  const texts = Array.from({ length: MESSAGES }, (_, i) => `message ${i + 1}.${i % 7 === 3 ? ' It is a longer one, which needs more than a single line when the window is narrow, as windows sometimes are.' : ''}`)
  await bob.say(room, texts)
  await ada.open('Bob')
  await ada.page.getByRole('button', { name: /Jump to latest/ }).click()
  await expect(ada.message('message 2000.')).toBeInViewport()

  const up = await travel(ada, 'top', 'message 1.')
  expect(up.rowsMax).toBeGreaterThan(300)
  expect(up.rowsMax).toBeLessThanOrEqual(ROWS_MAX)
  expect(up.jumpMax).toBeLessThan(2)
  await expect(ada.page.getByText('This is the beginning of your conversation with Bob.')).toBeVisible()
  await expect(ada.message('message 2000.')).toHaveCount(0)

  // What comes meanwhile neither moves the reader nor is lost.
  await bob.say(room, ['and one more'])
  await expect(ada.page.getByRole('button', { name: 'Jump to latest, 1 new message' })).toBeVisible()
  await expect(ada.message('message 1.')).toBeInViewport()
  await ada.shot('long-oldest')

  const down = await travel(ada, 'bottom', 'and one more')
  expect(down.rowsMax).toBeLessThanOrEqual(ROWS_MAX)
  expect(down.jumpMax).toBeLessThan(2)
  await expect(ada.message('message 1.')).toHaveCount(0)
  const shown = (await ada.texts()).slice(0, -1)
  expect(shown).toEqual(texts.slice(-shown.length))

  // At the end again, it follows.
  await ada.page.locator('.timeline-view').evaluate((view) => view.scrollTo(0, view.scrollHeight))
  await expect(ada.page.getByRole('button', { name: /Jump to latest/ })).toHaveCount(0)
  await bob.say(room, ['and the last'])
  await expect(ada.message('and the last')).toBeInViewport()
})
