// A timeline: a window on a room's log that pages both ways, follows its end, and repairs what it missed.

import type { ChatError } from './errors.js'
import { toChatError } from './errors.js'
import { isChange, isMessage, type Change } from './fold.js'
import { echoItem, eventItem, eventStatus, type Reached } from './items.js'
import type { Outgoing } from './outgoing.js'
import { Computed } from './store.js'
import type { Timeline, TimelineItem, TimelineOptions, TimelineState } from './types.js'
import { LogWindow, SHOWN_MAX } from './window.js'
import type { Event, EventPage, EventRange, Room } from './wire.js'

const PAGE_EVENTS = 50
const REPAIR_PAGE_EVENTS = 200
/** A longer absence is not caught up at once: the reader pages on from where they are. */
const REPAIR_PAGES_MAX = 2
const CACHED_EVENTS = 50
const PAGES_KEPT_MIN = 3
const RECENT_CHANGES_MAX = 500

export interface Opening {
  unread: number
  read: number
}

/** What a timeline needs of its room. */
export interface TimelineRoom {
  me(): string | undefined
  room(): Room | undefined
  /** The room and how far it was read, with what the first sync told of it; asked for if it isn't known. */
  opening(): Promise<Opening>
  list(range: EventRange): Promise<EventPage>
  cachedPage(): Promise<EventPage | undefined>
  savePage(page: EventPage): void
  reached(): Reached
  /** In order: acknowledged but not seen yet, then the outbox. */
  echoes(): readonly Outgoing[]
  closed(timeline: RoomTimeline): void
}

export class RoomTimeline implements Timeline {
  readonly #room: TimelineRoom
  readonly #limit: number
  readonly #keep: number
  readonly #state = new Computed(() => this.#snapshot())
  #window: LogWindow | undefined
  /** Counts windows: an answer for an earlier one is dropped. */
  #generation = 0
  #busy = 0
  #error: ChatError | undefined
  #unreadAt: number | undefined
  #older: Promise<void> | undefined
  #newer: Promise<void> | undefined
  #repairing: Promise<void> | undefined
  #repairAgain = false
  /** Changes told lately: a page asked for before them doesn't have them. */
  #recent: Change[] = []
  /** Items are made anew only when something in them changed. */
  #items = new Map<string, TimelineItem>()
  #closed = false

  constructor(room: TimelineRoom, options: TimelineOptions = {}) {
    this.#room = room
    this.#limit = options.limit ?? PAGE_EVENTS
    // Less than a few pages would be dropped as soon as they are read.
    this.#keep = Math.max(options.keep ?? SHOWN_MAX, PAGES_KEPT_MIN * this.#limit)
    void this.#open(options.at ?? 'latest')
  }

  get(): TimelineState {
    return this.#state.get()
  }

  subscribe(listener: (state: TimelineState) => void): () => void {
    return this.#state.subscribe(listener)
  }

  loadOlder(): Promise<void> {
    const window = this.#window
    if (!window?.hasOlder) return this.#older ?? Promise.resolve()
    return (this.#older ??= this.#load({ before: window.low }, page => {
      window.prepend(page)
    }).finally(() => (this.#older = undefined)))
  }

  loadNewer(): Promise<void> {
    const window = this.#window
    if (!window?.hasNewer) return this.#newer ?? Promise.resolve()
    return (this.#newer ??= this.#load({ after: window.high }, page => {
      window.towardsEnd()
      window.append(page)
    }).finally(() => (this.#newer = undefined)))
  }

  async jumpTo(seq: number | 'latest'): Promise<void> {
    if (seq === 'latest') this.#window?.towardsEnd()
    if (seq === 'latest' ? this.#window && !this.#window.hasNewer : this.#window?.find(seq)) return
    await this.#replace(seq === 'latest' ? {} : { around: seq })
  }

  close(): void {
    this.#closed = true
    this.#generation++
    this.#room.closed(this)
  }

  /** The message at a seq as it is now, if it is in the window. */
  find(seq: number): Event | undefined {
    return this.#window?.find(seq)?.event
  }

  event(event: Event): void {
    if (isChange(event)) this.#recent = [...this.#recent.slice(1 - RECENT_CHANGES_MAX), event]
    if (!this.#window) return
    if (this.#window.push(event)) this.changed()
    else void this.repair()
  }

  /** Something that items show has changed: outbox, cursors. */
  changed(): void {
    // Nobody looks at it, and its room may have been cleared.
    if (this.#closed) return
    this.#state.invalidate()
    const window = this.#window
    if (window && !window.hasNewer && this.#busy === 0) {
      const events = window.shown.slice(-CACHED_EVENTS).map(({ event }) => event)
      const hasOlder = window.hasOlder || events.length < window.shown.length
      this.#room.savePage({ events, has_older: hasOlder, has_newer: false, as_of: window.high, users: [] })
    }
  }

  /** Starts anew at the end. */
  reload(): Promise<void> {
    return this.#replace({})
  }

  /** Starts anew in another history: changes of the one before mean nothing there. */
  restart(): Promise<void> {
    this.#recent = []
    this.#unreadAt = undefined
    return this.reload()
  }

  /** Reads what may have been missed. Calls during a repair make it run once more. */
  async repair(): Promise<void> {
    if (!this.#window) return
    if (this.#repairing) {
      this.#repairAgain = true
      return this.#repairing
    }
    this.#repairing = (async () => {
      do {
        this.#repairAgain = false
        await this.#repair()
      } while (this.#repairAgain && !this.#closed)
    })().finally(() => (this.#repairing = undefined))
    return this.#repairing
  }

  /** Whether the window's end should have reached a seq and hasn't. */
  lacks(seq: number): boolean {
    return this.#window !== undefined && !this.#window.hasNewer && this.#window.high < seq
  }

  async #open(at: 'latest' | 'first-unread' | number): Promise<void> {
    const generation = ++this.#generation
    this.#busy++
    if (typeof at !== 'number') {
      const cached = await this.#room.cachedPage()
      if (cached && generation === this.#generation && !this.#window) {
        this.#window = new LogWindow(cached, this.#room.me(), this.#keep)
        this.#state.invalidate()
      }
    }
    let range: EventRange = typeof at === 'number' ? { around: at } : {}
    try {
      // Where to start is decided once, by what the server knows: the last visit's cursors may be long out of date.
      const opening = at === 'first-unread' ? await this.#room.opening() : undefined
      if (opening && opening.unread > 0) range = { around: Math.max(opening.read, 1) }
      if (generation !== this.#generation) return
      await this.#replace(range, opening)
    } catch (thrown) {
      this.#error = toChatError(thrown)
    } finally {
      this.#busy--
      this.changed()
    }
  }

  /** Reads one page as the new window. `opening`: the room as it was, to find the first unread message. */
  async #replace(range: EventRange, opening?: Opening): Promise<void> {
    this.#generation++
    await this.#load(range, page => {
      this.#window = new LogWindow(page, this.#room.me(), this.#keep)
      if (opening && opening.unread > 0) this.#unreadAt = this.#firstUnread(this.#window, opening.read)
    })
  }

  #firstUnread(window: LogWindow, read: number): number | undefined {
    if (window.hasOlder && window.low > read + 1) return undefined
    return window.shown.find(({ event }) => isMessage(event) && event.seq > read && event.sender !== this.#room.me())?.event.seq
  }

  /** Asks for a page and takes it, unless the window has been replaced meanwhile. */
  async #load(range: EventRange, take: (page: EventPage) => void, limit = this.#limit): Promise<void> {
    const generation = this.#generation
    this.#busy++
    this.#error = undefined
    this.#state.invalidate()
    try {
      const page = await this.#room.list({ ...range, limit })
      if (generation !== this.#generation) return
      take(page)
      this.#window?.changes(this.#recent, page.as_of)
      // What was pushed while the page was on its way is missing at the end.
      if (this.lacks(this.#room.room()?.head ?? 0)) void this.repair()
    } catch (thrown) {
      if (generation === this.#generation) this.#error = toChatError(thrown)
    } finally {
      this.#busy--
      this.changed()
    }
  }

  async #repair(): Promise<void> {
    const window = this.#window
    const generation = this.#generation
    const stale = () => generation !== this.#generation || window !== this.#window
    if (!window) return
    try {
      for (let page = 0; !window.hasNewer && page < REPAIR_PAGES_MAX; page++) {
        const answer = await this.#room.list({ after: window.high, limit: REPAIR_PAGE_EVENTS })
        if (stale()) return
        this.#remember(answer)
        window.append(answer)
        if (!answer.has_newer) return
        // The reader is at the other end of a full window: what is new is dropped again.
        if (window.high < (answer.events.at(-1)?.seq ?? 0)) break
        // Still behind, but on the way: not detached yet.
        window.hasNewer = page + 1 === REPAIR_PAGES_MAX
      }
      await this.#refetch(window, stale)
    } catch (thrown) {
      if (!stale()) this.#error = toChatError(thrown)
    } finally {
      if (!stale()) this.changed()
    }
  }

  /** A window away from the end may have missed changes of what it shows: read it again. */
  async #refetch(window: LogWindow, stale: () => boolean): Promise<void> {
    let from = window.low - 1
    while (from < window.high) {
      const page = await this.#room.list({ after: from, limit: REPAIR_PAGE_EVENTS })
      if (stale()) return
      window.renew(page)
      window.changes(this.#recent, page.as_of)
      const last = page.events.at(-1)?.seq
      if (last === undefined || !page.has_newer) return
      from = last
    }
  }

  #remember(page: EventPage): void {
    this.#recent = [...this.#recent, ...page.events.filter(isChange)].slice(-RECENT_CHANGES_MAX)
  }

  #snapshot(): TimelineState {
    const window = this.#window
    const items = new Map<string, TimelineItem>()
    const reached = this.#room.reached()
    const me = this.#room.me()
    for (const { event } of window?.shown ?? []) {
      const mine = event.sender === me
      const status = eventStatus(event, mine, reached)
      let key = mine && event.client_id ? event.client_id : bySeq(event)
      // Another device of ours may have chosen the same client id.
      if (items.has(key)) key = bySeq(event)
      const before = this.#items.get(key)
      items.set(key, before?.event === event && before.status === status ? before : eventItem(key, event, mine, status))
    }
    if (!window?.hasNewer) {
      for (const message of this.#room.echoes()) {
        const { receipt } = message.get()
        if (items.has(message.clientId) || (receipt && window && receipt.seq <= window.high)) continue
        items.set(message.clientId, echoItem(message, me ?? ''))
      }
    }
    this.#items = items
    const state: TimelineState = {
      items: [...items.values()],
      hasOlder: window?.hasOlder ?? false,
      hasNewer: window?.hasNewer ?? false,
      loading: this.#busy > 0,
      high: window?.high ?? 0,
    }
    if (this.#unreadAt !== undefined) state.unreadAt = this.#unreadAt
    if (this.#error) state.error = this.#error
    return state
  }
}

const bySeq = ({ room, seq }: Event): string => `${room}:${seq}`
