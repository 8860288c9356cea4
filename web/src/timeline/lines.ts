// What stands between messages: day separators, the unread divider, and which messages belong together.
import type { TimelineItem } from '@starling/client'
import { daysBetween } from '../i18n/time'

export type Line =
  | { type: 'day'; key: string; at: number }
  | { type: 'unread'; key: string }
  | { type: 'notice'; key: string; item: TimelineItem }
  | { type: 'message'; key: string; item: TimelineItem; first: boolean; last: boolean; quoted?: TimelineItem }

/** Messages of one sender closer than this are drawn as one group. */
export const GROUP_GAP_MS = 5 * 60_000

export interface LineOptions {
  /** Seq of the first unread message when the timeline was opened. */
  unreadAt?: number
  /** Direct rooms have no notices: who is in them never changes. */
  notices: boolean
}

export function buildLines(items: readonly TimelineItem[], options: LineOptions): Line[] {
  const bySeq = new Map(items.flatMap((item) => (item.seq === undefined ? [] : [[item.seq, item] as const])))
  const lines: Line[] = []
  let previous: TimelineItem | undefined
  let divided = options.unreadAt === undefined
  for (const [index, item] of items.entries()) {
    if (item.kind === 'notice' && (!options.notices || repeatsCreation(item, items[index - 1]))) continue
    if (!previous || daysBetween(previous.at, item.at) > 0) {
      lines.push({ type: 'day', key: `day:${dayKey(item.at)}`, at: item.at })
    }
    if (!divided && item.seq !== undefined && item.seq >= (options.unreadAt ?? 0) && !item.mine) {
      lines.push({ type: 'unread', key: 'unread' })
      divided = true
    }
    if (item.kind === 'notice') {
      lines.push({ type: 'notice', key: item.key, item })
    } else {
      const before = lines[lines.length - 1]
      const joins = before?.type === 'message' && belongTogether(before.item, item)
      if (joins) before.last = false
      const quoted = item.replyTo === undefined ? undefined : bySeq.get(item.replyTo)
      lines.push({ type: 'message', key: item.key, item, first: !joins, last: true, quoted })
    }
    previous = item
  }
  return lines
}

function belongTogether(earlier: TimelineItem, later: TimelineItem): boolean {
  return earlier.sender === later.sender && later.at - earlier.at < GROUP_GAP_MS
}

/** The founder's own joining says nothing that the founding hasn't said. */
function repeatsCreation(item: TimelineItem, before: TimelineItem | undefined): boolean {
  const event = item.event
  return (
    event?.type === 'member.updated' && event.state === 'joined' && event.user === event.sender &&
    before?.event?.type === 'room.created' && before.event.sender === event.sender
  )
}

function dayKey(at: number): string {
  const day = new Date(at)
  return `${day.getFullYear()}-${day.getMonth() + 1}-${day.getDate()}`
}
