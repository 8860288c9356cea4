// A contiguous part of a room's log, as a timeline shows it. Pure: pages and pushed events come in, messages with all
// later changes folded in come out.
//
// `asOf` says up to which seq a message is known to have its changes. Change events up to it are in the message already.

import { fold, isChange, isMessage, type Change } from './fold.js'
import type { Event, EventPage } from './wire.js'

export const SHOWN_MAX = 600

export interface Shown {
  event: Event
  asOf: number
}

export class LogWindow {
  /** Everything but changes, ascending by seq. */
  shown: Shown[] = []
  /** First and last seq covered. Covered means: each event in between that may be seen is in here. */
  low: number
  high: number
  hasOlder: boolean
  hasNewer: boolean
  /** Which end is dropped when there is too much: the one that the reader does not page towards. */
  #drop: 'oldest' | 'newest' = 'oldest'
  readonly #max: number
  readonly #me: string | undefined

  constructor(page: EventPage, me: string | undefined, max = SHOWN_MAX) {
    this.#me = me
    this.#max = max
    this.low = page.events[0]?.seq ?? 1
    // Not `as_of`: the server may have read the changes later than it chose the events.
    this.high = page.events.at(-1)?.seq ?? 0
    this.hasOlder = page.has_older
    this.hasNewer = page.has_newer
    this.shown = shownOf(page)
  }

  covers(seq: number): boolean {
    return (seq >= this.low || !this.hasOlder) && (seq <= this.high || !this.hasNewer)
  }

  find(seq: number): Shown | undefined {
    let from = 0
    let to = this.shown.length
    while (from < to) {
      const middle = (from + to) >> 1
      if (this.shown[middle]!.event.seq < seq) from = middle + 1
      else to = middle
    }
    return this.shown[from]?.event.seq === seq ? this.shown[from] : undefined
  }

  /** A page that was asked for with `before` = low. */
  prepend(page: EventPage): void {
    const events = shownOf(page).filter(({ event }) => event.seq < this.low)
    this.hasOlder = page.has_older
    this.low = Math.min(this.low, page.events[0]?.seq ?? this.low)
    this.shown = [...events, ...this.shown]
    this.#drop = 'newest'
    this.#trim()
  }

  /** The reader pages on towards the end. */
  towardsEnd(): void {
    this.#drop = 'oldest'
  }

  /** A page that was asked for with `after` = high, or with a smaller seq. */
  append(page: EventPage): void {
    for (const event of page.events) if (isChange(event)) this.change(event)
    this.shown.push(...shownOf(page).filter(({ event }) => event.seq > this.high))
    this.high = Math.max(this.high, page.events.at(-1)?.seq ?? 0)
    this.hasNewer = page.has_newer
    this.#trim()
  }

  /**
   * A page of what is here already, as it is now. It counts even where later changes are known here: one before them may
   * have been missed, and the caller folds the later ones in again.
   */
  renew(page: EventPage): void {
    for (const { event, asOf } of shownOf(page)) {
      const known = this.find(event.seq)
      if (known) Object.assign(known, { event, asOf })
    }
  }

  /** Takes a pushed event. False: something before it is missing, and it was not taken. */
  push(event: Event): boolean {
    // Folded in over a gap, a change would hide an earlier one of the same message that the gap brings.
    if (!this.hasNewer && event.seq > this.high + 1) return false
    if (isChange(event)) this.change(event)
    if (event.seq <= this.high || this.hasNewer) return true
    if (!isChange(event)) this.shown.push({ event, asOf: event.seq })
    this.high = event.seq
    this.#trim()
    return true
  }

  /** Folds in what a page of `asOf` doesn't have yet, but nothing beyond a gap: what closes that brings it, in order. */
  changes(told: readonly Change[], asOf: number): void {
    for (const change of told) if (change.seq > asOf && (this.hasNewer || change.seq <= this.high)) this.change(change)
  }

  /** Folds a change into its target, if the target is here and doesn't have it yet. */
  change(change: Change): void {
    const target = this.find(change.target)
    if (!target || !isMessage(target.event) || target.asOf >= change.seq) return
    target.event = fold(target.event, change, this.#me)
    target.asOf = change.seq
  }

  #trim(): void {
    if (this.shown.length <= this.#max) return
    if (this.#drop === 'newest') {
      this.shown = this.shown.slice(0, this.#max)
      this.high = this.shown.at(-1)!.event.seq
      this.hasNewer = true
    } else {
      this.shown = this.shown.slice(-this.#max)
      this.low = this.shown[0]!.event.seq
      this.hasOlder = true
    }
  }
}

const shownOf = (page: EventPage): Shown[] =>
  page.events.filter(event => !isChange(event)).map(event => ({ event, asOf: page.as_of }))
