import { codes } from '@starling/client/codes'
import { expect, test } from 'vitest'
import { en } from '../src/i18n/en'
import { dictionaries, resolve } from '../src/i18n/language'
import { timeFormats } from '../src/i18n/time'

test('both languages have every text, of the same kind', () => {
  for (const [language, dictionary] of Object.entries(dictionaries)) {
    expect(Object.keys(dictionary).sort(), language).toEqual(Object.keys(en).sort())
    for (const [key, text] of Object.entries(dictionary)) {
      const original = en[key as keyof typeof en]
      expect(typeof text, `${language}.${key}`).toBe(typeof original)
      const said = typeof text === 'function' ? (text as (...args: unknown[]) => string)(3, 4, 5) : text
      expect(said.trim(), `${language}.${key}`).not.toBe('')
    }
  }
})

test('no English is left in the Chinese texts', () => {
  for (const [key, text] of Object.entries(dictionaries.zh)) {
    const said = typeof text === 'function' ? (text as (...args: unknown[]) => string)('', '', '') : text
    expect(said.replace('{key}', '').replace('Esc', ''), key).not.toMatch(/[A-Za-z]{2,}/)
  }
})

test('every argument of a text is said', () => {
  for (const dictionary of Object.values(dictionaries)) {
    for (const [key, text] of Object.entries(dictionary)) {
      if (typeof text !== 'function') continue
      const marks = Array.from({ length: text.length }, (_, i) => 41 + i)
      const said = (text as (...args: unknown[]) => string)(...marks)
      for (const mark of marks) expect(said, key).toContain(String(mark))
    }
  }
})

test('every error code has words in both languages', () => {
  for (const [code, { en: english, zh }] of Object.entries(codes)) {
    expect(english, code).not.toBe('')
    expect(zh, code).toMatch(/\p{Script=Han}/u)
  }
})

test('the language is the chosen one, else the first known of the browser', () => {
  expect(resolve('zh', ['en'])).toBe('zh')
  expect(resolve('auto', ['fr', 'zh-TW', 'en'])).toBe('zh')
  expect(resolve('auto', ['fr', 'de'])).toBe('en')
})

test('times are as short as can be understood', () => {
  const now = new Date(2026, 2, 10, 15, 0).getTime()
  const at = (day: number, hour = 9, month = 2, year = 2026) => new Date(year, month, day, hour, 5).getTime()
  const { en: english, zh } = { en: timeFormats('en'), zh: timeFormats('zh') }
  const check = (when: number, short: string, kurz: string) => {
    expect(english.short(when, now)).toBe(short)
    expect(zh.short(when, now)).toBe(kurz)
  }
  check(at(10), '09:05', '09:05')
  check(at(9, 23), 'Yesterday', '昨天')
  check(at(6), 'Fri', '周五')
  check(at(1), 'Mar 1', '3月1日')
  check(at(1, 9, 2, 2025), 'Mar 1, 2025', '2025年3月1日')
  expect(english.ago(now - 5 * 60_000, now)).toBe('5 minutes ago')
  expect(zh.ago(now - 5 * 60_000, now)).toBe('5分钟前')
  expect(english.day(at(10), now)).toBe('Today')
  expect(zh.day(at(9), now)).toBe('昨天')
})
