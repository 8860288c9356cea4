import { expect, test } from './fixture'

test('a group: invite, accept, write, remove; who was removed sees nothing after', async ({ server, person }) => {
  const ada = await (await person('ada', 'Ada')).register(server.url)
  const bob = await (await person('bob', 'Bob')).register(server.url)
  const eve = await (await person('eve', 'Eve')).register(server.url)

  await ada.page.getByRole('button', { name: 'New group' }).click()
  const dialog = ada.page.getByRole('dialog', { name: 'New group' })
  await dialog.getByRole('textbox', { name: 'Group name' }).fill('Birds')
  for (const id of ['bob', 'eve']) {
    await dialog.getByRole('textbox', { name: 'Add people' }).fill(id)
    await dialog.getByRole('button', { name: `@${id}` }).click()
  }
  await ada.shot('group-new')
  await dialog.getByRole('button', { name: 'Create group' }).click()
  await expect(ada.page.getByRole('heading', { name: 'Birds', level: 1 })).toBeVisible()
  await expect(ada.log.getByText('You created the group')).toBeVisible()
  await ada.say('welcome')

  for (const one of [bob, eve]) {
    const invitation = one.page.getByRole('listitem', { name: 'Birds' })
    await expect(invitation.getByText('Ada invited you')).toBeVisible()
    await invitation.getByRole('button', { name: 'Accept' }).click()
    await expect(one.message('welcome')).toBeVisible()
  }
  await expect(ada.log.getByText('Eve joined')).toBeVisible()
  await eve.say('hi all')
  await expect(ada.message('hi all')).toBeVisible()
  await expect(bob.message('hi all')).toBeVisible()

  // A member may not remove; the owner may.
  await bob.page.getByRole('button', { name: 'Details', exact: true }).click()
  const panel = bob.page.getByRole('complementary', { name: 'Details' })
  await panel.getByRole('button', { name: 'Actions for Eve' }).click()
  await expect(bob.page.getByRole('menuitem', { name: 'Remove' })).toHaveCount(0)
  await bob.page.keyboard.press('Escape')

  await ada.page.getByRole('button', { name: 'Details', exact: true }).click()
  const members = ada.page.getByRole('complementary', { name: 'Details' })
  await expect(members.getByText('Owner (you)')).toBeVisible()
  await ada.shot('group-details')
  await members.getByRole('button', { name: 'Actions for Eve' }).click()
  await ada.page.getByRole('menuitem', { name: 'Remove' }).click()
  await ada.page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click()
  await expect(ada.log.getByText('You removed Eve')).toBeVisible()
  await expect(members.getByRole('list', { name: 'Members' }).getByText('Eve')).toHaveCount(0)

  await ada.say('only for us')
  await expect(bob.message('only for us')).toBeVisible()
  await expect(eve.composer).toHaveCount(0)
  await expect(eve.page.getByText('only for us')).toHaveCount(0)
  await eve.page.reload()
  await expect(eve.page.getByRole('navigation', { name: 'Conversations' })).toBeVisible()
  await expect(eve.page.getByText('@eve')).toBeVisible()
  await expect(eve.room('Birds')).toHaveCount(0)
  await expect(eve.page.getByText('only for us')).toHaveCount(0)
  await expect(eve.page.getByText('You are no longer in this conversation.')).toBeVisible()
  await eve.shot('group-removed')

  // Settings are told to all.
  await members.getByRole('button', { name: 'Group settings' }).click()
  await ada.page.getByRole('textbox', { name: 'Group name' }).fill('Starlings')
  await ada.page.getByRole('button', { name: 'Save' }).click()
  await expect(bob.page.getByRole('heading', { name: 'Starlings', level: 1 })).toBeVisible()
  await expect(bob.log.getByText('Ada named the group “Starlings”')).toBeVisible()
})
