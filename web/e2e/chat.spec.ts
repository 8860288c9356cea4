import { expect, test } from './fixture'

test('two people find each other and chat: messages, edits, reactions, replies, receipts, typing', async ({ server, person }) => {
  const ada = await (await person('ada', 'Ada')).register(server.url)
  const bob = await (await person('bob', 'Bob')).register(server.url)
  await ada.find(bob)
  await ada.say('Hello **Bob**')
  await expect(ada.log.getByRole('article').getByRole('img', { name: /Sent|Delivered/ })).toBeVisible()

  // An unread badge until it is opened, then the sender sees it read.
  await expect(bob.room('Ada').getByRole('img', { name: '1 unread message' })).toBeVisible()
  await expect(bob.page).toHaveTitle(/^\(1\)/)
  await bob.page.bringToFront()
  await bob.open('Ada')
  await expect(bob.log.getByText('Bob', { exact: true })).toHaveCSS('font-weight', /6\d\d|7\d\d/)
  await expect(ada.log.getByRole('article').getByRole('img', { name: 'Read' })).toBeVisible()
  await expect(bob.room('Ada').getByRole('img', { name: /unread/ })).toHaveCount(0)

  // Typing is seen in the head and in the list, and ends with the message.
  await bob.composer.pressSequentially('Hi Ada', { delay: 30 })
  await expect(ada.page.locator('.room-header').getByText('Bob is typing')).toBeVisible()
  await expect(ada.room('Bob').getByText('typing')).toBeVisible()
  await bob.composer.press('Enter')
  await expect(ada.message('Hi Ada')).toBeVisible()
  await expect(ada.page.locator('.room-header').getByText('online')).toBeVisible()

  // Edit: Arrow Up in the empty composer.
  await bob.composer.press('ArrowUp')
  const editor = bob.page.getByRole('textbox', { name: 'Edit message' })
  await expect(editor).toHaveValue('Hi Ada')
  await editor.fill('Hi dear Ada')
  await editor.press('Enter')
  await expect(ada.message('Hi dear Ada').getByText('edited').last()).toBeVisible()
  await expect(ada.message('Hi Ada')).toHaveCount(0)

  // React, see it, take it back.
  await ada.message('Hi dear Ada').hover()
  await ada.message('Hi dear Ada').getByRole('button', { name: 'React' }).click()
  await ada.page.getByRole('button', { name: 'React with 🎉' }).first().click()
  await expect(bob.message('Hi dear Ada').getByRole('button', { name: '🎉, 1 reaction' })).toBeVisible()
  await bob.message('Hi dear Ada').getByRole('button', { name: '🎉, 1 reaction' }).click()
  await expect(ada.message('Hi dear Ada').getByRole('button', { name: '🎉, 2 reactions' })).toBeVisible()

  // Reply, and jump to the original.
  await ada.act('Hi dear Ada', 'Reply')
  await expect(ada.page.locator('.reply-bar').getByText('Hi dear Ada')).toBeVisible()
  await ada.say('How are you?')
  await expect(bob.message('How are you?').getByRole('button', { name: /You.*Hi dear Ada/ })).toBeVisible()
  await bob.say('Line one')
  await bob.composer.fill('a')
  await bob.composer.press('Shift+Enter')
  await bob.composer.pressSequentially('b')
  await bob.composer.press('Enter')
  await expect(ada.log.getByRole('article').last().locator('br')).toHaveCount(1)

  // Delete, with a question before.
  await bob.act('Line one', 'Delete')
  await bob.page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click()
  await expect(ada.log.getByText('Message deleted')).toBeVisible()
  await expect(ada.message('Line one')).toHaveCount(0)
  await expect(bob.page.getByRole('alertdialog')).toHaveCount(0)
  await ada.shot('chat-ada')
  await bob.shot('chat-bob')
})

test('a long conversation scrolls both ways and jumps to the latest', async ({ server, person }) => {
  const ada = await (await person('ada', 'Ada')).register(server.url)
  const bob = await (await person('bob', 'Bob')).register(server.url)
  await ada.find(bob)
  const all = Array.from({ length: 120 }, (_, i) => `message ${i + 1}`)
  await ada.say(...all)
  await expect(ada.status('message 120', 'Delivered')).toBeVisible({ timeout: 30_000 })
  await bob.page.bringToFront()
  await bob.open('Ada')
  await expect(bob.page.getByRole('separator', { name: 'New messages' })).toBeVisible()
  await expect(bob.message('message 1')).toBeInViewport()
  await expect(bob.page.getByRole('button', { name: /Jump to latest, 120 new messages/ })).toBeVisible()
  await bob.page.getByRole('button', { name: /Jump to latest/ }).click()
  await expect(bob.message('message 120')).toBeInViewport()
  await expect(bob.page.getByRole('button', { name: /Jump to latest/ })).toHaveCount(0)
  await expect(ada.status('message 120', 'Read')).toBeVisible()

  // What is being read does not move when a page comes in above it.
  await expect.poll(() => bob.stored()).toContain('"unread":0')
  await bob.page.reload()
  await expect(bob.message('message 120')).toBeInViewport()
  await expect(bob.message('message 50')).toHaveCount(0)
  const place = (text: string) => bob.message(text).evaluate((row) => row.getBoundingClientRect().top)
  const read = 'message 85'
  const before = await bob.message(read).evaluate((row) => {
    row.scrollIntoView({ block: 'start' })
    return row.getBoundingClientRect().top
  })
  await expect(bob.message('message 50')).toHaveCount(1)
  expect(Math.abs((await place(read)) - before)).toBeLessThan(2)

  // Up to the very beginning, page by page.
  await bob.log.getByRole('article').last().focus()
  await expect(async () => {
    await bob.page.locator('.timeline-view').evaluate((view) => view.scrollTo(0, 0))
    await expect(bob.message('message 1')).toBeInViewport({ timeout: 500 })
  }).toPass()
  expect(await bob.texts()).toEqual(all)
  await ada.say('and one more')
  await expect(bob.page.getByRole('button', { name: 'Jump to latest, 1 new message' })).toBeVisible()
  await expect(bob.message('message 1')).toBeInViewport()
  await bob.shot('scroll')

  // A reply to a message that is far away: its quote leads there.
  await bob.act('message 1', 'Reply')
  await bob.say('about the first')
  await expect(ada.message('about the first')).toBeVisible()
  await bob.page.reload()
  await expect(bob.message('about the first')).toBeInViewport()
  await expect(bob.message('message 1')).toHaveCount(0)
  await bob.message('about the first').getByRole('button', { name: 'Earlier message' }).click()
  await expect(bob.message('message 1')).toBeInViewport()
  await bob.page.getByRole('button', { name: 'Jump to latest' }).click()
  await expect(bob.message('about the first')).toBeInViewport()
})
