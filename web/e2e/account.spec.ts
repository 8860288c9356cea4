import { expect, test } from './fixture'

test('the one-time link makes the first administrator, once', async ({ server, person }) => {
  const link = /http:\/\/\S+#\/setup\/\S+/.exec(server.output)?.[0]
  expect(link, `a setup link in:\n${server.output}`).toBeTruthy()
  const ada = await person('ada', 'Ada')
  await ada.page.goto(link as string)
  await expect(ada.page.getByRole('heading', { name: 'Set up this server' })).toBeVisible()
  await ada.shot('setup')
  await ada.fillRegistration()
  await ada.page.getByRole('button', { name: 'Settings' }).click()
  await expect(ada.page.getByText('Administrator')).toBeVisible()
  await ada.shot('settings')

  const eve = await person('eve', 'Eve')
  await eve.page.goto(link as string)
  await eve.page.getByRole('textbox', { name: 'User ID' }).fill('eve')
  await eve.page.getByRole('textbox', { name: 'Password', exact: true }).fill('correct horse battery')
  await eve.page.getByRole('button', { name: 'Create account' }).click()
  await expect(eve.page.getByRole('alert')).toHaveText('The setup link is no longer valid')
})

test('sign out, sign in, revoke another device, change the password', async ({ server, person }) => {
  const ada = await (await person('ada', 'Ada')).register(server.url)
  const other = await person('ada', 'Ada')
  const signIn = async (password: string) => {
    await other.page.getByRole('textbox', { name: 'User ID' }).fill('ada')
    await other.page.getByRole('textbox', { name: 'Password', exact: true }).fill(password)
    await other.page.getByRole('button', { name: 'Sign in', exact: true }).click()
  }
  await other.page.goto(server.url)
  await signIn('not the password')
  await expect(other.page.getByRole('alert')).toHaveText('Wrong user or password')
  await signIn('correct horse battery')
  await expect(other.page.getByText('@ada')).toBeVisible()

  await ada.page.getByRole('button', { name: 'Settings' }).click()
  await ada.page.getByRole('button', { name: 'Sign out device' }).click()
  await expect(other.page.getByText('This device was signed out. Please sign in again.')).toBeVisible()
  await expect(ada.page.getByRole('button', { name: 'Sign out device' })).toHaveCount(0)

  await ada.page.getByRole('textbox', { name: 'Display name' }).fill('Ada L.')
  await ada.page.getByRole('button', { name: 'Save' }).click()
  await expect(ada.page.getByText('Saved')).toBeVisible()
  await ada.page.getByRole('button', { name: 'Change password' }).click()
  await ada.page.getByRole('textbox', { name: 'Current password' }).fill('correct horse battery')
  await ada.page.getByRole('textbox', { name: 'New password' }).fill('another good one')
  await ada.page.getByRole('button', { name: 'Change password' }).click()
  await expect(ada.page.getByText('Password changed')).toBeVisible()
  await signIn('another good one')
  await expect(other.page.getByText('Ada L.')).toBeVisible()

  await ada.page.getByRole('button', { name: 'Sign out', exact: true }).click()
  await ada.page.getByRole('alertdialog').getByRole('button', { name: 'Sign out' }).click()
  await expect(ada.page.getByRole('heading', { name: 'Welcome back' })).toBeVisible()
  await ada.page.reload()
  await expect(ada.page.getByRole('heading', { name: 'Welcome back' })).toBeVisible()
})
