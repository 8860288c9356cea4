import type { Event, TimelineItem } from '@starling/client'
import { expect, test } from 'vitest'
import { buildLines, GROUP_GAP_MS } from '../src/timeline/lines'

const NOON = new Date(2026, 2, 3, 12).getTime()
const MINUTE = 60_000

type Spec = { by: string; at?: number; seq?: number; notice?: Partial<Event>; reply?: number }

function items(specs: Spec[]): TimelineItem[] {
  return specs.map(({ by, at = 0, seq, notice, reply }, i) => ({
    key: `k${i + 1}`,
    seq: seq === 0 ? undefined : (seq ?? i + 1),
    at: NOON + at * MINUTE,
    sender: by,
    mine: by === 'me',
    kind: notice ? 'notice' : 'message',
    event: notice ? ({ sender: by, ...notice } as Event) : undefined,
    replyTo: reply,
    edited: false,
    deleted: false,
    reactions: [],
  }))
}

/** Lines as words: `day`, `unread`, `notice:k1`, `k2(` for the first of a group, `k3)` for its last. */
function check(specs: Spec[], expected: string, options: { unreadAt?: number; notices?: boolean } = {}) {
  const words = buildLines(items(specs), { unreadAt: options.unreadAt, notices: options.notices ?? true }).map((line) => {
    if (line.type === 'message') return `${line.first ? '(' : ''}${line.key}${line.last ? ')' : ''}`
    return line.type === 'notice' ? `notice:${line.key}` : line.type
  })
  expect(words.join(' ')).toBe(expected)
}

test('messages of one sender close in time are one group', () => {
  check([{ by: 'a' }, { by: 'a', at: 1 }, { by: 'b', at: 2 }, { by: 'a', at: 3 }], 'day (k1 k2) (k3) (k4)')
})

test('a pause ends a group', () => {
  const gap = GROUP_GAP_MS / MINUTE
  check([{ by: 'a' }, { by: 'a', at: gap - 1 }, { by: 'a', at: 2 * gap - 1 }], 'day (k1 k2) (k3)')
})

test('each day begins with a separator, which ends a group', () => {
  check([{ by: 'a', at: 12 * 60 - 1 }, { by: 'a', at: 12 * 60 + 1 }, { by: 'a', at: 12 * 60 + 2 }, { by: 'a', at: 60 * 24 * 3 }], 'day (k1) day (k2 k3) day (k4)')
})

test('the unread divider stands before the first unread message of another', () => {
  check([{ by: 'a' }, { by: 'a' }, { by: 'a' }], 'day (k1) unread (k2 k3)', { unreadAt: 2 })
  check([{ by: 'a' }, { by: 'me' }, { by: 'a' }], 'day (k1) (k2) unread (k3)', { unreadAt: 2 })
  check([{ by: 'a' }, { by: 'me', seq: 0 }], 'day (k1) (k2)', { unreadAt: 2 })
})

test('the unread message may be older than what is loaded, or not a line itself', () => {
  check([{ by: 'a', seq: 10 }, { by: 'a', seq: 12 }], 'day unread (k1 k2)', { unreadAt: 7 })
  check([{ by: 'a', seq: 10 }, { by: 'a', seq: 12 }], 'day (k1) unread (k2)', { unreadAt: 11 })
})

test('notices end a group and are left out of direct rooms', () => {
  const specs: Spec[] = [{ by: 'a' }, { by: 'b', notice: { type: 'room.updated', settings: { name: 'x' } } }, { by: 'a' }]
  check(specs, 'day (k1) notice:k2 (k3)')
  check(specs, 'day (k1 k3)', { notices: false })
})

test('the founder joining is not said twice', () => {
  check(
    [
      { by: 'a', notice: { type: 'room.created', kind: 'group', settings: {} } },
      { by: 'a', notice: { type: 'member.updated', user: 'a', state: 'joined', level: 100 } },
      { by: 'b', notice: { type: 'member.updated', user: 'b', state: 'joined', level: 10 } },
    ],
    'day notice:k1 notice:k3',
  )
})

test('a reply knows its original when that is loaded', () => {
  const lines = buildLines(items([{ by: 'a' }, { by: 'b', reply: 1 }, { by: 'b', reply: 99 }]), { notices: true })
  expect(lines.map((line) => (line.type === 'message' ? line.quoted?.key : undefined))).toEqual([undefined, undefined, 'k1', undefined])
})
