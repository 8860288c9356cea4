// Has the browser keep the client's own files, so that it opens without the server too. See public/sw.js.

/** The files that were loaded before the worker came are asked for once more through it: from the browser's cache. */
async function keepLoaded(): Promise<void> {
  const loaded = performance.getEntriesByType('resource').map((entry) => entry.name)
  const wanted = ['/', '/favicon.svg', ...loaded.filter((name) => new URL(name).pathname.startsWith('/assets/'))]
  const store = await caches.open('starling-shell-1')
  for (const name of wanted) if (!(await store.match(name))) await store.add(name)
}

export function keepShell(): void {
  // Browsers have this only on https and on the machine itself; without it everything else works the same.
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return
  navigator.serviceWorker
    .register('/sw.js')
    .then(() => navigator.serviceWorker.ready)
    .then(keepLoaded)
    .catch(() => undefined)
}
