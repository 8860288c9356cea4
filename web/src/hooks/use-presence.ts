// Whether somebody is there. One watch for a list of people, shared by value.
import { useMemo } from 'react'
import type { PresenceMap } from '@starling/client'
import { useClient } from './use-client'
import { useStore } from './use-store'

export function usePresence(ids: string[]): PresenceMap {
  const client = useClient()
  const key = [...ids].sort().join(',')
  const store = useMemo(() => client.presence(key === '' ? [] : key.split(',')), [client, key])
  return useStore(store)
}
