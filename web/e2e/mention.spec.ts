import { expect, test } from './fixture'
import { Account } from './seed'

test('calling on somebody: offered while typing, sent, highlighted, and seen in the list', async ({ server, person }) => {
  const ada = await (await person('ada', 'Ada')).register(server.url)
  const bob = await (await person('bob', 'Robert')).register(server.url)
  const cyd = await Account.register(server.url, 'cyd', '李梅', 'correct horse battery')
  const group = await cyd.group({ name: 'Birds', join_rule: 'open' })
  await cyd.join(group)
  for (const one of [ada, bob]) {
    await one.page.goto(`${server.url}/#/room/${group}`)
    await one.page.getByRole('button', { name: 'Join' }).click()
    await expect(one.composer).toBeVisible()
  }
  await bob.page.goto(`${server.url}/#/`)

  // By keyboard: down to the second, Enter picks and does not send.
  const offers = ada.page.getByRole('listbox', { name: 'People to mention' })
  await ada.composer.pressSequentially('Hello @')
  await expect(offers.getByRole('option')).toHaveCount(2)
  await expect(offers.getByRole('option', { name: 'Robert' })).toHaveAttribute('aria-selected', 'true')
  await ada.composer.press('ArrowDown')
  await expect(offers.getByRole('option', { name: '李梅' })).toHaveAttribute('aria-selected', 'true')
  await ada.shot('mention-offers')
  await ada.composer.press('Enter')
  await expect(ada.composer).toHaveValue('Hello @cyd ')
  await expect(offers).toHaveCount(0)

  // Found by the name, also while an input method composes; its Enter is its own.
  await ada.composer.pressSequentially('and @rob')
  await expect(offers.getByRole('option')).toHaveCount(1)
  await ada.composer.dispatchEvent('keydown', { key: 'Enter', keyCode: 229, isComposing: true, bubbles: true, cancelable: true })
  await expect(ada.composer).toHaveValue('Hello @cyd and @rob')
  // Esc closes the list and nothing else; a new @ opens it again.
  await ada.composer.press('Escape')
  await expect(offers).toHaveCount(0)
  await ada.composer.press('Backspace')
  await expect(offers).toHaveCount(0)
  await ada.composer.fill('Hello @cyd and @rob')
  await ada.composer.press('Escape')
  await ada.composer.fill('Hello @cyd and ')
  await ada.composer.pressSequentially('@r')
  // By pointer; the field keeps the focus.
  await offers.getByRole('option', { name: 'Robert' }).click()
  await expect(ada.composer).toBeFocused()
  await ada.composer.pressSequentially('!')
  await expect(ada.composer).toHaveValue('Hello @cyd and @bob !')
  await ada.composer.press('Enter')

  await expect(bob.room('Birds').getByRole('img', { name: 'You are mentioned' })).toBeVisible()
  await bob.shot('mention-list')
  await bob.page.bringToFront()
  await bob.open('Birds')
  const message = bob.log.locator('.message.mentions-me')
  await expect(message).toHaveCount(1)
  await expect(message.locator('.mention')).toHaveText(['@cyd', '@bob'])
  await expect(ada.log.locator('.message.mentions-me')).toHaveCount(0)
  await expect(bob.room('Birds').getByRole('img', { name: 'You are mentioned' })).toHaveCount(0)
  await bob.say('thanks')
  await expect(ada.message('thanks')).toBeVisible()
  await bob.shot('mention-message')
})
