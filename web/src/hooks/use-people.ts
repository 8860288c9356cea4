// Finding people while typing: the last query wins, a short pause before asking.
import { useEffect, useState } from 'react'
import type { User } from '@starling/client'
import { useClient } from './use-client'

const PAUSE_MS = 180
const RESULTS_MAX = 12

export function usePeople(query: string): { people: User[]; searching: boolean } {
  const client = useClient()
  const [found, setFound] = useState<{ query: string; people: User[] }>({ query: '', people: [] })
  const wanted = query.trim()
  useEffect(() => {
    if (wanted === '') return undefined
    let current = true
    const timer = setTimeout(() => {
      client.users.search(wanted, { limit: RESULTS_MAX }).then(
        (people) => current && setFound({ query: wanted, people }),
        () => current && setFound({ query: wanted, people: [] }),
      )
    }, PAUSE_MS)
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [client, wanted])
  if (wanted === '') return { people: [], searching: false }
  return { people: found.people, searching: found.query !== wanted }
}
