// How long to wait before trying again: full jitter, so that the clients of a restarted server don't return in step.

const FIRST_MS = 1_000
const CAP_MS = 30_000

/** `failures`: how many attempts have failed in a row, from 0. */
export function backoff(failures: number, random: () => number = Math.random): number {
  return random() * Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(failures, 16))
}

/** Spreads what may wait: gives each caller, in ms, how long until its turn. */
export function pacer(everyMs: number): () => number {
  let next = 0
  return () => {
    const now = Date.now()
    const turn = Math.max(now, next)
    next = turn + everyMs
    return turn - now
  }
}

export const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
