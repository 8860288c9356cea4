// The members of a room, page by page, read anew when the membership changes.
import { useCallback, useEffect, useRef, useState } from 'react'
import type { Member, RoomHandle } from '@starling/client'
import { useClient } from './use-client'

export interface MembersState {
  members: Member[]
  next?: string
  loading: boolean
  error?: unknown
  loadMore: () => void
}

export function useMembers(room: RoomHandle): MembersState {
  const client = useClient()
  const [state, setState] = useState<{ members: Member[]; next?: string; loading: boolean; error?: unknown }>({ members: [], loading: true })
  const ticket = useRef(0)

  const load = useCallback(
    async (cursor?: string) => {
      const mine = (ticket.current += 1)
      try {
        const page = await room.members(cursor === undefined ? {} : { cursor })
        if (mine !== ticket.current) return
        setState((before) => ({
          members: cursor === undefined ? page.members : [...before.members, ...page.members],
          next: page.next,
          loading: false,
        }))
      } catch (error) {
        if (mine === ticket.current) setState((before) => ({ ...before, loading: false, error }))
      }
    },
    [room],
  )

  useEffect(() => {
    void load()
    const off = client.on('member.updated', (event) => {
      if (event.room === room.id) void load()
    })
    return () => {
      off()
      ticket.current += 1
    }
  }, [client, room, load])

  return { ...state, loadMore: () => void (state.next !== undefined && load(state.next)) }
}
