// Keeps the client itself for when the server can't be reached: the page is asked of the network first and taken from
// the store only if that fails; files under /assets have their content in their name and never change. What the server
// answers under /v1 is never kept here: the client has its own store for that.
const STORE = 'starling-shell-1'

self.addEventListener('install', () => self.skipWaiting())

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

async function fresh(request, key) {
  const store = await caches.open(STORE)
  try {
    const answer = await fetch(request)
    // A server that is down behind a proxy is as good as no server.
    if (answer.status >= 500) return (await store.match(key)) ?? answer
    if (answer.ok) {
      await store.put(key, answer.clone())
      // A new page names new files: those of the page before are no longer needed.
      if (key === '/') await forgetAssetsMissingFrom(await answer.clone().text(), store)
    }
    return answer
  } catch (failure) {
    const kept = await store.match(key)
    if (kept) return kept
    throw failure
  }
}

async function forgetAssetsMissingFrom(page, store) {
  for (const request of await store.keys()) {
    const { pathname } = new URL(request.url)
    if (pathname.startsWith('/assets/') && !page.includes(pathname)) await store.delete(request)
  }
}

async function kept(request) {
  const store = await caches.open(STORE)
  const found = await store.match(request)
  if (found) return found
  const answer = await fetch(request)
  if (answer.ok) await store.put(request, answer.clone())
  return answer
}

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== self.location.origin) return
  if (request.mode === 'navigate' && pathname === '/') event.respondWith(fresh(request, '/'))
  else if (pathname.startsWith('/assets/')) event.respondWith(kept(request))
  else if (pathname === '/favicon.svg' || pathname === '/manifest.webmanifest') event.respondWith(fresh(request, pathname))
})
