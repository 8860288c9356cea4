// The signed-in client, and the stores that most components read.
import { createContext, useContext, useMemo } from 'react'
import type { Client, Me, RoomHandle, User } from '@starling/client'
import { useStore } from './use-store'

export const ClientContext = createContext<Client | null>(null)

export function useClient(): Client {
  const client = useContext(ClientContext)
  if (!client) throw new Error('useClient needs a signed-in client above it')
  return client
}

export function useMe(): Me | null {
  return useStore(useClient().me)
}

export function useRoom(id: string): RoomHandle {
  const client = useClient()
  return useMemo(() => client.rooms.get(id), [client, id])
}

/** The profile; until it is there, the id stands for the name. */
export function useUser(id: string): User {
  const client = useClient()
  const store = useMemo(() => client.users.get(id), [client, id])
  return useStore(store) ?? { id, display_name: id, kind: 'person' }
}
