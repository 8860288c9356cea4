// Scrolling of a timeline: stays at the end when there, else keeps what is being read in place, loads both ways.
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react'
import type { Timeline, TimelineState } from '@starling/client'
import { correction, isAtBottom, nearBottom, nearTop, pickAnchor, type Anchor, type Row } from '../timeline/anchor'

const FLASH_MS = 1600
/** What says that a person moves the view, and not the program. */
const HANDS = ['wheel', 'touchmove', 'keydown', 'pointerdown'] as const
/** Where a message that was jumped to, or the unread divider, comes to stand: this part of the view from its top. */
const JUMP_PLACE = 0.25

function rowOf(element: HTMLElement): Row {
  const { top, bottom } = element.getBoundingClientRect()
  return { key: element.dataset.key ?? '', top, bottom }
}

function* rowsOf(list: HTMLElement): Generator<Row> {
  for (const child of list.children) if (child instanceof HTMLElement && child.dataset.key) yield rowOf(child)
}

export interface TimelineScroll {
  view: RefObject<HTMLDivElement | null>
  list: RefObject<HTMLDivElement | null>
  atBottom: boolean
  toLatest: () => void
  toSeq: (seq: number) => Promise<void>
}

export function useTimelineScroll(timeline: Timeline, state: TimelineState): TimelineScroll {
  const view = useRef<HTMLDivElement>(null)
  const list = useRef<HTMLDivElement>(null)
  const anchor = useRef<Anchor>(undefined)
  const stuck = useRef(true)
  const size = useRef({ clientHeight: 0, scrollHeight: 0 })
  const placed = useRef(false)
  /** Whether the reader has scrolled: then nothing that arrives late may move them. */
  const moved = useRef(false)
  const wanted = useRef<number>(undefined)
  const latest = useRef(state)
  latest.current = state
  const [atBottom, setAtBottom] = useState(true)

  const loadAround = useCallback(() => {
    const element = view.current
    const { hasOlder, hasNewer, loading } = latest.current
    if (!element || loading || !placed.current) return
    // A failed page shows in the timeline's error, with a button to try again.
    if (latest.current.error) return
    if (hasOlder && nearTop(element)) void timeline.loadOlder().catch(() => undefined)
    else if (hasNewer && nearBottom(element)) void timeline.loadNewer().catch(() => undefined)
  }, [timeline])

  const remember = useCallback(() => {
    const element = view.current
    if (!element || !list.current) return
    // At the end of what is loaded, but not of the room, is the end only for who was there before (a repair is on).
    stuck.current = isAtBottom(element) && (stuck.current || !latest.current.hasNewer)
    setAtBottom(stuck.current && !latest.current.hasNewer)
    anchor.current = pickAnchor(rowsOf(list.current), element.getBoundingClientRect().top)
    size.current = { clientHeight: element.clientHeight, scrollHeight: element.scrollHeight }
  }, [])

  /** Puts the view back where it belongs after the content or its size changed. */
  const settle = useCallback(() => {
    const element = view.current
    const rows = list.current
    if (!element || !rows) return
    const find = (selector: string) => rows.querySelector<HTMLElement>(selector)
    const bring = (row: HTMLElement) => {
      const from = element.getBoundingClientRect()
      element.scrollTop += row.getBoundingClientRect().top - from.top - from.height * JUMP_PLACE
    }
    const target = wanted.current === undefined ? null : find(`[data-seq="${wanted.current}"]`)
    if (target) {
      wanted.current = undefined
      stuck.current = false
      bring(target)
      target.focus({ preventScroll: true })
      target.classList.add('flash')
      setTimeout(() => target.classList.remove('flash'), FLASH_MS)
    } else if (!placed.current || (!moved.current && find('[data-key="unread"]'))) {
      if (rows.childElementCount === 0) return
      placed.current = true
      const divider = find('[data-key="unread"]')
      if (divider) {
        moved.current = true
        bring(divider)
      } else element.scrollTop = element.scrollHeight
    } else if (stuck.current && !latest.current.hasNewer) {
      element.scrollTop = element.scrollHeight
    } else if (anchor.current) {
      const row = find(`[data-key="${CSS.escape(anchor.current.key)}"]`)
      element.scrollTop += correction(anchor.current, row ? rowOf(row) : undefined, element.getBoundingClientRect().top)
    }
    remember()
  }, [remember])

  useLayoutEffect(settle, [settle, state])
  useEffect(loadAround, [loadAround, state])

  useEffect(() => {
    const element = view.current
    const rows = list.current
    if (!element || !rows) return
    const scrolled = () => {
      // The event may come late, after something has grown: then where the view stands is not where it was put.
      const { clientHeight, scrollHeight } = size.current
      if (element.clientHeight !== clientHeight || element.scrollHeight !== scrollHeight) settle()
      else remember()
      loadAround()
    }
    const took = () => {
      moved.current = true
    }
    const observer = new ResizeObserver(settle)
    observer.observe(element)
    observer.observe(rows)
    element.addEventListener('scroll', scrolled, { passive: true })
    for (const name of HANDS) element.addEventListener(name, took, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', scrolled)
      for (const name of HANDS) element.removeEventListener(name, took)
    }
  }, [remember, loadAround, settle])

  const toLatest = useCallback(() => {
    stuck.current = true
    const down = () => {
      stuck.current = true
      if (view.current) view.current.scrollTop = view.current.scrollHeight
    }
    if (latest.current.hasNewer) void timeline.jumpTo('latest').then(down, () => undefined)
    else {
      down()
      // Tells that the reader is at the end, where a full window has to go on.
      void timeline.jumpTo('latest').catch(() => undefined)
    }
  }, [timeline])

  const toSeq = useCallback(
    async (seq: number) => {
      wanted.current = seq
      if (latest.current.items.some((item) => item.seq === seq)) settle()
      else await timeline.jumpTo(seq).catch(() => undefined)
    },
    [timeline, settle],
  )

  return { view, list, atBottom, toLatest, toSeq }
}
