import { expect, test } from 'vitest'
import { parseRoute, routeHash } from '../src/hooks/use-route'
import { hueOf, initials } from '../src/ui/avatar'
import { deviceName } from '../src/account/device-name'

test('addresses and pages are two forms of the same', () => {
  for (const route of [{ page: 'home' }, { page: 'room', room: 'a/b=c d' }, { page: 'setup', token: 'tok.en-1' }] as const) {
    expect(parseRoute(routeHash(route))).toEqual(route)
  }
  for (const hash of ['', '#', '#/', '#/nowhere', '#/room/', '#/setup']) expect(parseRoute(hash), hash).toEqual({ page: 'home' })
  expect(parseRoute('#/room/%zz')).toEqual({ page: 'room', room: '%zz' })
})

test('initials', () => {
  const cases: [string, string][] = [['Ada Lovelace', 'AL'], ['bob', 'B'], ['李梅', '李'], ['team-birds.uk', 'TU'], ['', '?'], ['🐦 birds', '🐦'], ['élan vital', 'ÉV']]
  for (const [name, letters] of cases) expect(initials(name), name).toBe(letters)
})

test('the colour of an id never changes and stays within the sheen', () => {
  expect(hueOf('ada')).toBe(hueOf('ada'))
  for (let i = 0; i < 200; i += 1) {
    expect(hueOf(`user${i}`)).toBeGreaterThanOrEqual(175)
    expect(hueOf(`user${i}`)).toBeLessThan(350)
  }
})

test('devices are named by browser and system', () => {
  expect(deviceName('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36')).toBe('Chrome · Linux')
  expect(deviceName('Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19 Mobile Safari/604')).toBe('Safari · iOS')
  expect(deviceName('curl')).toBe('Browser')
})
