// Who is signed in decides what is shown. Holds the session and the one client made from it.
import { useCallback, useEffect, useState } from 'react'
import { createClient, sessionTokens, type Client, type Session } from '@starling/client'
import { SignInPage, endsSession } from './account/sign-in'
import { Chat } from './chat'
import { ClientContext } from './hooks/use-client'
import { clearDrafts } from './hooks/use-draft'
import { go, useRoute } from './hooks/use-route'
import { ToastProvider } from './ui/toast'

const tokens = sessionTokens({ url: '' })

export function App() {
  const route = useRoute()
  const [client, setClient] = useState<Client | undefined>(() => (tokens.current() ? openClient() : undefined))
  const [ended, setEnded] = useState(false)

  const end = useCallback((byServer: boolean) => {
    tokens.clear()
    setEnded(byServer)
    setClient(undefined)
  }, [])

  useEffect(() => {
    if (!client) return undefined
    const refused = (error: unknown) => {
      if (endsSession(error)) end(true)
    }
    client.connect().catch(refused)
    const off = client.connection.subscribe(({ state, error }) => {
      if (state === 'closed' && error) refused(error)
    })
    // Another tab signed out: this one has no session any more either.
    const stored = () => {
      if (!tokens.current()) end(false)
    }
    addEventListener('storage', stored)
    return () => {
      off()
      removeEventListener('storage', stored)
      void client.close()
    }
  }, [client, end])

  const signedIn = (session: Session) => {
    tokens.save(session)
    setEnded(false)
    if (route.page === 'setup') go({ page: 'home' }, { replace: true })
    setClient(openClient())
  }

  if (!client) {
    return <SignInPage key={route.page} setupToken={route.page === 'setup' ? route.token : undefined} ended={ended} onSession={signedIn} />
  }
  return (
    <ClientContext value={client}>
      <ToastProvider>
        <Chat
          onSignOut={async () => {
            await client.logout()
            clearDrafts()
            go({ page: 'home' }, { replace: true })
            end(false)
          }}
        />
      </ToastProvider>
    </ClientContext>
  )
}

function openClient(): Client {
  return createClient({ url: '', getToken: tokens.getToken })
}
