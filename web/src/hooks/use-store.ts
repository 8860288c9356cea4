// Reads a store of the SDK in a component.
import { useCallback, useSyncExternalStore } from 'react'
import type { Store } from '@starling/client'

export function useStore<T>(store: Store<T>): T {
  const subscribe = useCallback((changed: () => void) => store.subscribe(changed), [store])
  const get = useCallback(() => store.get(), [store])
  return useSyncExternalStore(subscribe, get)
}
