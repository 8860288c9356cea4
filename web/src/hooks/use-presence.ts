// Whether somebody is there. One watch for a list of people, shared by value.
import { useMemo } from 'react'
import type { PresenceMap } from '@starling/client'
import { useClient } from './use-client'
import { useStore } from './use-store'

const UNKNOWN: PresenceMap = {}

export function usePresence(ids: string[]): PresenceMap {
  const client = useClient()
  const key = [...ids].sort().join(',')
  const store = useMemo(() => client.presence(key === '' ? [] : key.split(',')), [client, key])
  const presence = useStore(store)
  // Without a connection, what was known of others says nothing of now.
  return useStore(client.connection).state === 'online' ? presence : UNKNOWN
}
