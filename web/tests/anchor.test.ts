import { expect, test } from 'vitest'
import { correction, distanceToBottom, isAtBottom, nearBottom, nearTop, pickAnchor } from '../src/timeline/anchor'

const rows = (top: number, ...heights: number[]) =>
  heights.map((height, i) => {
    const from = top + heights.slice(0, i).reduce((sum, h) => sum + h, 0)
    return { key: `r${i}`, top: from, bottom: from + height }
  })

test('the anchor is the first row that can be seen', () => {
  expect(pickAnchor(rows(-50, 40, 40, 40), 0)).toEqual({ key: 'r1', offset: -10 })
  expect(pickAnchor(rows(100, 40), 60)).toEqual({ key: 'r0', offset: 40 })
  expect(pickAnchor(rows(-100, 40, 60), 0)).toBeUndefined()
})

test('rows that come or grow above the anchor are made up for', () => {
  const anchor = { key: 'r1', offset: -10 }
  expect(correction(anchor, { key: 'r1', top: 990, bottom: 1030 }, 0)).toBe(1000)
  expect(correction(anchor, { key: 'r1', top: -10, bottom: 30 }, 0)).toBe(0)
  expect(correction(anchor, { key: 'r1', top: -60, bottom: 30 }, 0)).toBe(-50)
  expect(correction(anchor, undefined, 0)).toBe(0)
})

test('the ends of the list', () => {
  const view = (scrollTop: number) => ({ scrollTop, clientHeight: 500, scrollHeight: 5000 })
  expect(distanceToBottom(view(4500))).toBe(0)
  expect(isAtBottom(view(4480))).toBe(true)
  expect(isAtBottom(view(4400))).toBe(false)
  expect(nearTop(view(0))).toBe(true)
  expect(nearTop(view(2000))).toBe(false)
  expect(nearBottom(view(4000))).toBe(true)
  expect(nearBottom(view(2000))).toBe(false)
})
