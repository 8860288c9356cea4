import { expect, test } from './fixture'
import { Account } from './seed'

test('the link of an open group leads in; of any other room one learns nothing', async ({ server, person }) => {
  const ada = await person('ada', 'Ada', { permissions: ['clipboard-read', 'clipboard-write'] })
  await ada.register(server.url)
  const bob = await (await person('bob', 'Bob')).register(server.url)
  const cyd = await Account.register(server.url, 'cyd', 'Cyd', 'correct horse battery')
  const open = await cyd.group({ name: 'Bird watchers', topic: 'What flies past, and where', join_rule: 'open' })
  const secret = await cyd.group({ name: 'Secret', topic: 'Hush' })

  await ada.page.goto(`${server.url}/#/room/${open}`)
  await expect(ada.page.getByRole('heading', { name: 'Bird watchers', level: 1 })).toBeVisible()
  await expect(ada.page.getByText('What flies past, and where')).toBeVisible()
  await expect(ada.page.getByText('1 member')).toBeVisible()
  await expect(ada.room('Bird watchers')).toHaveCount(0)
  await ada.shot('join-card')
  await ada.page.getByRole('button', { name: 'Join' }).click()
  await expect(ada.room('Bird watchers')).toBeVisible()
  await ada.say('I am in')
  await expect(ada.message('I am in').getByRole('img', { name: /Sent|Delivered/ })).toBeVisible()

  await ada.page.getByRole('button', { name: 'Details', exact: true }).click()
  await ada.page.getByRole('button', { name: 'Copy link' }).click()
  await expect(ada.page.getByText('Link copied')).toBeVisible()
  await ada.shot('copy-link')
  const link = await ada.page.evaluate(() => navigator.clipboard.readText())
  expect(link).toBe(`${server.url}/#/room/${open}`)
  await bob.page.goto(link)
  await bob.page.getByRole('button', { name: 'Join' }).click()
  await expect(bob.message('I am in')).toBeVisible()

  for (const room of [secret, 'never-was']) {
    await bob.page.goto(`${server.url}/#/room/${room}`)
    await expect(bob.page.getByRole('heading', { name: 'No such conversation, or it isn’t yours' })).toBeVisible()
    await expect(bob.page.getByText(/Secret|Hush/)).toHaveCount(0)
    await expect(bob.page.getByRole('button', { name: 'Join' })).toHaveCount(0)
  }
  await bob.shot('no-such-room')
})

test('a group without a name is called by its members, in both languages', async ({ server, person }) => {
  const ada = await (await person('ada', 'Ada')).register(server.url)
  const mei = await person('mei', '李梅', { locale: 'zh-CN', colorScheme: 'dark', viewport: { width: 390, height: 760 } })
  const others = []
  for (const [id, name] of [['bob', 'Bob'], ['cyd', 'Cyd'], ['dan', 'Dan']] as const) others.push(await Account.register(server.url, id, name, 'correct horse battery'))
  const [bob] = others
  const session = await Account.register(server.url, 'mei', '李梅', 'correct horse battery')
  const group = await bob!.group({}, ['ada', 'cyd', 'dan', 'mei'])
  for (const one of [...others.slice(1), session]) await one.join(group)

  // As long as one is only invited, the inviter stands for it.
  await expect(ada.page.getByRole('listitem', { name: 'Bob' })).toBeVisible()
  await ada.page.getByRole('button', { name: 'Accept' }).click()
  await expect(ada.page.getByRole('heading', { name: 'Bob, Cyd, Dan and 1 more', level: 1 })).toBeVisible()
  await mei.page.goto(server.url)
  await mei.page.getByRole('textbox', { name: '用户名' }).fill('mei')
  await mei.page.getByRole('textbox', { name: '密码', exact: true }).fill('correct horse battery')
  await mei.page.getByRole('button', { name: '登录' }).click()
  await expect(mei.page.getByRole('list', { name: '会话' }).getByText('Ada、Bob、Cyd和另外 1 人')).toBeVisible()
  await expect(mei.page.getByRole('main')).toHaveCount(1)
  await mei.shot('unnamed-zh')
  await bob!.say(group, ['大家好'])
  await mei.page.goto(`${server.url}/#/room/${group}`)
  await expect(mei.page.getByRole('main')).toHaveCount(1)
  await expect(mei.message('大家好')).toBeVisible()
  await mei.shot('unnamed-zh-room')
  await ada.shot('unnamed')
})
