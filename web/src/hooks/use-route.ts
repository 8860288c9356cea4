// Hash routes: `#/` the list, `#/room/<id>` a conversation, `#/setup/<token>` the one-time link of a fresh server.
import { useMemo, useSyncExternalStore } from 'react'

export type Route = { page: 'home' } | { page: 'room'; room: string } | { page: 'setup'; token: string }

export function parseRoute(hash: string): Route {
  const [, page, ...rest] = hash.replace(/^#/, '').split('/')
  let value = rest.join('/')
  try {
    value = decodeURIComponent(value)
  } catch {
    // A hand-made address that isn't percent-encoded: take it as it stands.
  }
  if (page === 'room' && value) return { page, room: value }
  if (page === 'setup' && value) return { page, token: value }
  return { page: 'home' }
}

export function routeHash(route: Route): string {
  switch (route.page) {
    case 'home':
      return '#/'
    case 'room':
      return `#/room/${encodeURIComponent(route.room)}`
    case 'setup':
      return `#/setup/${encodeURIComponent(route.token)}`
  }
}

export function go(route: Route, { replace = false } = {}): void {
  const hash = routeHash(route)
  if (hash === location.hash) return
  if (replace) {
    history.replaceState(null, '', hash)
    dispatchEvent(new HashChangeEvent('hashchange'))
  } else {
    location.hash = hash
  }
}

function subscribe(changed: () => void): () => void {
  addEventListener('hashchange', changed)
  return () => removeEventListener('hashchange', changed)
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash)
  return useMemo(() => parseRoute(hash), [hash])
}
