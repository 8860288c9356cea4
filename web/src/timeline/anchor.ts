// Where the reader is in a long list, as numbers: so that the list can grow above without moving what is being read.

export interface Row {
  key: string
  top: number
  bottom: number
}

export interface Anchor {
  key: string
  /** From the top of the view to the top of the row; negative if the row begins above it. */
  offset: number
}

export interface Viewport {
  scrollTop: number
  clientHeight: number
  scrollHeight: number
}

/** Closer to the end than this counts as being there. */
export const BOTTOM_SLACK_PX = 32

/** Closer to an end than this loads what lies beyond it. */
export const LOAD_AHEAD_PX = 900

export const distanceToBottom = (view: Viewport): number => view.scrollHeight - view.clientHeight - view.scrollTop

export const isAtBottom = (view: Viewport): boolean => distanceToBottom(view) <= BOTTOM_SLACK_PX

export const nearTop = (view: Viewport): boolean => view.scrollTop < LOAD_AHEAD_PX

export const nearBottom = (view: Viewport): boolean => distanceToBottom(view) < LOAD_AHEAD_PX

/** The first row that can be seen. Rows are given from the top down. */
export function pickAnchor(rows: Iterable<Row>, viewTop: number): Anchor | undefined {
  for (const row of rows) if (row.bottom > viewTop) return { key: row.key, offset: row.top - viewTop }
  return undefined
}

/** How far to scroll so that the anchor's row stands where it stood; 0 if the row is gone. */
export function correction(anchor: Anchor, row: Row | undefined, viewTop: number): number {
  return row ? row.top - viewTop - anchor.offset : 0
}
