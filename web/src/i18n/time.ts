// Times and days as a reader expects them: `14:05`, `Yesterday`, `Tue`, `3 Mar`.
import { dictionaries, tags, type Language } from './language'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const WEEK_DAYS = 7

export interface TimeFormats {
  clock(at: number): string
  full(at: number): string
  day(at: number, now?: number): string
  short(at: number, now?: number): string
  ago(at: number, now?: number): string
}

/** How many local midnights lie between two moments. */
export function daysBetween(earlier: number, later: number): number {
  const a = new Date(earlier)
  const b = new Date(later)
  const days = Date.UTC(b.getFullYear(), b.getMonth(), b.getDate()) - Date.UTC(a.getFullYear(), a.getMonth(), a.getDate())
  return Math.round(days / 86_400_000)
}

export function timeFormats(language: Language): TimeFormats {
  const tag = tags[language]
  const t = dictionaries[language]
  const clock = new Intl.DateTimeFormat(tag, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  const full = new Intl.DateTimeFormat(tag, { dateStyle: 'full', timeStyle: 'short' })
  const weekday = new Intl.DateTimeFormat(tag, { weekday: 'short' })
  const monthDay = new Intl.DateTimeFormat(tag, { month: 'short', day: 'numeric' })
  const yearMonthDay = new Intl.DateTimeFormat(tag, { year: 'numeric', month: 'short', day: 'numeric' })
  const longDay = new Intl.DateTimeFormat(tag, { weekday: 'long', month: 'long', day: 'numeric' })
  const longDayYear = new Intl.DateTimeFormat(tag, { year: 'numeric', month: 'long', day: 'numeric' })
  const relative = new Intl.RelativeTimeFormat(tag, { numeric: 'auto' })
  const sameYear = (a: number, b: number) => new Date(a).getFullYear() === new Date(b).getFullYear()
  return {
    clock: (at) => clock.format(at),
    full: (at) => full.format(at),
    day(at, now = Date.now()) {
      const days = daysBetween(at, now)
      if (days === 0) return t.today
      if (days === 1) return t.yesterday
      return (sameYear(at, now) ? longDay : longDayYear).format(at)
    },
    short(at, now = Date.now()) {
      const days = daysBetween(at, now)
      if (days <= 0) return clock.format(at)
      if (days === 1) return t.yesterday
      if (days < WEEK_DAYS) return weekday.format(at)
      return (sameYear(at, now) ? monthDay : yearMonthDay).format(at)
    },
    ago(at, now = Date.now()) {
      const past = Math.max(0, now - at)
      if (past < HOUR_MS) return relative.format(-Math.round(past / MINUTE_MS), 'minute')
      const days = daysBetween(at, now)
      if (days === 0) return relative.format(-Math.round(past / HOUR_MS), 'hour')
      if (days < WEEK_DAYS) return relative.format(-days, 'day')
      return (sameYear(at, now) ? monthDay : yearMonthDay).format(at)
    },
  }
}
