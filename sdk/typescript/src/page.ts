// What the page tells: network back, tab in front, tab going away. Outside a browser it tells nothing.

export interface PageEvents {
  online(): void
  offline(): void
  visible(): void
  /** The tab goes to the background or is closed: the last moment to send or store something. */
  hidden(): void
}

export function watchPage(events: PageEvents): () => void {
  const offs: (() => void)[] = []
  const listen = (target: EventTarget | undefined, name: string, listener: () => void) => {
    if (typeof target?.addEventListener !== 'function') return
    target.addEventListener(name, listener)
    offs.push(() => target.removeEventListener(name, listener))
  }
  const page = globalThis as unknown as EventTarget
  listen(page, 'online', () => events.online())
  listen(page, 'offline', () => events.offline())
  listen(page, 'pagehide', () => events.hidden())
  listen(globalThis.document, 'visibilitychange', () => (document.visibilityState === 'hidden' ? events.hidden() : events.visible()))
  return () => offs.forEach(off => off())
}

/** Whether the device says that it has no network. */
export const isOffline = (): boolean => globalThis.navigator?.onLine === false
