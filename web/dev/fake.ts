// Development only: a client with made-up data, to look at the pages without a server.
import type { Client, Store, TimelineItem, RoomView, TimelineState, RoomHandle } from '../../sdk/typescript/src/types'
import type { Event, User, Member } from '../../sdk/typescript/src/wire'
export { ChatError } from '../../sdk/typescript/src/errors'

class Value<T> implements Store<T> {
  #l = new Set<(v: T) => void>()
  constructor(private v: T) {}
  get() { return this.v }
  set(v: T) { this.v = v; for (const l of this.#l) l(v) }
  subscribe(l: (v: T) => void) { this.#l.add(l); l(this.v); return () => { this.#l.delete(l) } }
}
const q = new URLSearchParams(location.search)
const u = (id: string, display_name: string): User => ({ id, display_name, kind: 'person' })
const users: Record<string, User> = Object.fromEntries([u('ada', 'Ada Lovelace'), u('bob', 'Bob Marsh'), u('mei', '李梅'), u('sam', 'Sam Okafor'), u('lin', 'Lin Xiaoyu'), u('nora', 'Nora Lind'), u('kai', 'Kai Brandt')].map((x) => [x.id, x]))
const now = Date.now()
const min = 60_000
let seq = 0
type M = [string, number, string, object?]
const make = (room: string, list: M[]): TimelineItem[] => list.map(([sender, ago, text, extra]) => {
  seq += 1
  const s = seq
  const base = { key: `${room}:${s}`, seq: s, at: now - ago * min, sender, mine: sender === 'ada', edited: false, deleted: false, reactions: [] as never[] }
  if (text.startsWith('!')) return { ...base, kind: 'notice' as const, event: { room, seq: s, commit: s, at: base.at, sender, ...JSON.parse(text.slice(1)) } as Event }
  return { ...base, kind: 'message' as const, content: { type: 'text' as const, text, format: 'markdown' as const }, ...(sender === 'ada' ? { status: 'read' as const } : {}), ...extra }
})
const filler: M[] = Array.from({ length: 40 }, (_, i) => [i % 5 < 3 ? 'sam' : 'ada', 3000 - i * 3, `Line ${i + 1}: ` + 'the flock turns and turns again. '.repeat(1 + (i % 4))])
const flock: M[] = [
  ...filler,
  ['nora', 2890, '!{"type":"room.created","kind":"group","settings":{"name":"Murmuration"}}'],
  ['nora', 2880, '!{"type":"member.updated","user":"kai","state":"invited","level":10}'],
  ['kai', 2870, '!{"type":"member.updated","user":"kai","state":"joined","level":10}'],
  ['sam', 1500, 'Morning! The overnight soak is done: **41 h** without a dropped commit. 🎉', { reactions: [{ key: '🎉', count: 4, mine: true }, { key: '👏', count: 2, mine: false }] }],
  ['sam', 1499, 'Numbers are in the sheet: https://example.org/soak?run=41'],
  ['ada', 1490, 'Beautiful. What was the p99 while the *checkpoint* ran?'],
  ['nora', 70, 'About `3.4 ms`. Here is the loop that mattered:\n```rust\nwhile let Some(batch) = queue.next().await {\n    store.commit(batch).await?;   // one fsync for all of them\n}\n```'],
  ['kai', 66, 'So group commit does the work. Three things left for today:\n1. restart with a full outbox\n2. two phones on one account\n3. lunch'],
  ['mei', 40, '我下午可以测第二项，两台手机都在手边。', { reactions: [{ key: '👍', count: 3, mine: false }] }],
  ['ada', 38, 'Thank you 李梅! Then I take the restart.', { replyTo: 0, status: 'delivered' }],
  ['ada', 37, 'And I’ll write it down afterwards.', { edited: true, status: 'delivered' }],
  ['sam', 12, '> lunch\nAt noon, the usual place?'],
  ['nora', 11, 'deleted', { deleted: true, content: undefined }],
  ['nora', 10, '👍'],
  ['kai', 3, 'I’m in. See you there, and don’t forget the umbrella: it will rain all afternoon, says the forecast, and then it won’t, as always.'],
]
const direct: M[] = [
  ['bob', 1600, 'Hello Ada, I moved the release to Thursday.'],
  ['ada', 1590, 'Good call.'],
  ['bob', 30, 'Did you see how the starlings fly over the river tonight?'],
  ['ada', 28, 'Thousands of them. I stood on the bridge for half an hour 🐦'],
  ['bob', 27, 'Same here. How do they *not* collide?', { reactions: [{ key: '😮', count: 1, mine: true }] }],
  ['ada', 26, 'Each one watches only its seven nearest neighbours.'],
  ['ada', 25, 'That’s all. No one leads.', { status: 'delivered' }],
  ['bob', 6, 'That is the best protocol I’ve heard of all year.'],
]
const levels = { send: 10, react: 10, invite: 10, remove: 50, redact: 50, settings: 50, levels: 90 }
const timelines: Record<string, Value<TimelineState>> = {}
const rooms: Record<string, { view: Value<RoomView | undefined>; typing: Value<User[]>; members: Member[] }> = {}
function add(id: string, kind: 'direct' | 'group', title: string, list: M[], extra: Partial<RoomView>, members: string[], peer?: string) {
  const items = make(id, list)
  const reply = items.find((i) => i.replyTo === 0)
  if (reply) reply.replyTo = (reply.seq ?? 1) - 1
  const last = items.findLast((i) => i.kind === 'message')
  const view = {
    id, kind, title, settings: { name: title, levels, join_rule: 'invite', history: 'members' }, created_at: now - 9e8, members: members.length + 1, head: seq, messages: seq, commit: 1,
    last_message: last && { room: id, seq: last.seq, commit: 1, at: last.at, sender: last.sender, type: 'message.created', number: 1, content: last.content, deleted: last.deleted ? { seq: 1 } : undefined, edited: last.edited ? { seq: 1, at: 1 } : undefined },
    me: { state: 'joined', level: 100 }, cursors: { delivered: seq, read: seq, read_messages: 0 }, unread: 0, receipts: true, pending: 0,
    peer: peer ? { user: users[peer], cursors: { delivered: 0, read: 0, read_messages: 0 } } : undefined, ...extra,
  } as unknown as RoomView
  const unreadAt = view.unread ? items[items.length - view.unread]?.seq : undefined
  timelines[id] = new Value<TimelineState>({ items, hasOlder: false, hasNewer: false, loading: false, unreadAt })
  rooms[id] = { view: new Value<RoomView | undefined>(view), typing: new Value<User[]>([]), members: [{ user: users.ada!, state: 'joined', level: 100 }, ...members.map((m, i): Member => ({ user: users[m]!, state: i === members.length - 1 && members.length > 4 ? 'invited' : 'joined', level: i === 0 ? 50 : 10 }))] }
}
add('flock', 'group', 'Murmuration', flock, { unread: 4, settings: { name: 'Murmuration', topic: 'Where the whole flock turns', levels, join_rule: 'open', history: 'members' } }, ['nora', 'sam', 'kai', 'mei', 'lin'])
add('bob', 'direct', 'Bob Marsh', direct, {}, ['bob'], 'bob')
add('mei', 'direct', '李梅', [['mei', 200, '周四的评审改到三点了，记得带上图表。'], ['ada', 190, '好的，到时候见！']], { unread: 0 }, ['mei'], 'mei')
add('river', 'group', 'River walks', [['lin', 1440 * 2, 'Sunday, if it stays dry?']], { unread: 12 }, ['lin', 'kai'])
add('sam', 'direct', 'Sam Okafor', [['ada', 1440 * 4, 'Sent from the train', { edited: true }]], { pending: 1 }, ['sam'], 'sam')
add('invite', 'group', 'Bird ringing 2026', [], { me: { state: 'invited', level: 10, invited_by: 'nora' } }, ['nora'])
rooms.mei!.typing.set([users.mei!])
if (q.has('typing')) { rooms.bob!.typing.set([users.bob!]); rooms.flock!.typing.set([users.sam!, users.nora!]) }
if (q.has('failed')) {
  const t = timelines.bob!
  const items = [...t.get().items]
  for (const status of ['sent', 'queued', 'failed'] as const) items.push({ key: status, seq: status === 'sent' ? 9999 : undefined, at: now, sender: 'ada', mine: true, kind: 'message', content: { type: 'text', text: `This one is ${status}`, format: 'plain' }, edited: false, deleted: false, reactions: [], status })
  t.set({ ...t.get(), items })
}
const list = new Value<RoomView[]>(Object.values(rooms).map((r) => r.view.get()!))
const pass = () => Promise.resolve({} as never)
const handle = (id: string): RoomHandle => {
  const r = rooms[id]
  return {
    id, view: r?.view ?? new Value(undefined), typingUsers: r?.typing ?? new Value([]), receipts: new Value({}),
    timeline: () => Object.assign(timelines[id]!, { loadOlder: pass, loadNewer: pass, jumpTo: pass, close: () => undefined }) as never,
    send: (text: string) => {
      const t = timelines[id]!
      seq += 1
      t.set({ ...t.get(), items: [...t.get().items, { key: `n${seq}`, seq, at: Date.now(), sender: 'ada', mine: true, kind: 'message', content: { type: 'text', text, format: 'markdown' }, edited: false, deleted: false, reactions: [], status: 'sent' }] })
      return { sent: Promise.resolve({ seq, commit: 1 }) } as never
    },
    edit: pass, delete: pass, react: pass, setReactions: pass, markRead: () => undefined, typing: { keystroke: () => undefined, stop: () => undefined },
    members: () => Promise.resolve({ members: r?.members ?? [] }), invite: pass, remove: pass, setLevel: pass, join: pass, leave: pass, update: pass,
  }
}
const handles: Record<string, RoomHandle> = {}
const userStores: Record<string, Value<User | undefined>> = {}
const presence = new Value<Record<string, { online: boolean; lastSeenAt?: number }>>({ bob: { online: true }, mei: { online: true }, sam: { online: false, lastSeenAt: now - 50 * min }, nora: { online: true } })
const device = (id: string, name: string, current: boolean) => ({ id, name, created_at: now - 1e8, last_seen_at: now - 1e7, current })
export function createClient(): Client {
  return {
    connect: () => Promise.resolve(), close: () => Promise.resolve(), logout: () => Promise.resolve(),
    connection: new Value(q.has('offline') ? { state: 'offline' as const } : q.has('reconnecting') ? { state: 'reconnecting' as const, retryAt: Date.now() + 8000 } : { state: 'online' as const }),
    me: new Value({ ...users.ada!, app: 'default', admin: true, created_at: 0, device: device('d', 'Chrome', true) }),
    rooms: { list, get: (id) => (handles[id] ??= handle(id)), open: () => Promise.resolve(handle('bob')), create: () => Promise.resolve(handle('flock')) },
    users: { get: (id) => (userStores[id] ??= new Value(users[id])), search: (s) => Promise.resolve(Object.values(users).filter((x) => x.id.startsWith(s) || x.display_name.toLowerCase().includes(s))) },
    presence: () => presence,
    devices: { list: () => Promise.resolve([device('d', 'Chrome · Linux', true), device('e', 'Safari · iOS', false)]), revoke: pass },
    updateProfile: pass, changePassword: pass, on: () => () => undefined,
  }
}
export const auth = () => ({ server: () => Promise.resolve({ registration_open: true, needs_setup: false }), register: pass, login: pass, refresh: pass, logout: pass })
export const sessionTokens = () => ({ getToken: () => Promise.resolve(''), current: () => (q.has('out') ? null : {}), save: () => undefined, clear: () => undefined })
