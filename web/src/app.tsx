// Who is signed in decides what is shown. Holds the session and the one client made from it.
import { useCallback, useEffect, useState } from 'react'
import { ChatError, createClient, sessionTokens, type Client, type GetToken, type Session } from '@starling/client'
import { SignInPage, endsSession } from './account/sign-in'
import { Chat } from './chat'
import { ClientContext } from './hooks/use-client'
import { clearDrafts } from './hooks/use-draft'
import { go, useRoute } from './hooks/use-route'
import { ToastProvider } from './ui/toast'

const tokens = sessionTokens({ url: '' })

export function App() {
  const route = useRoute()
  const [opened, setOpened] = useState(openStored)
  const [ended, setEnded] = useState(false)

  /** Ends this tab's session. Another one that a tab has stored meanwhile is gone on with. */
  const end = useCallback(({ client, device }: Opened, byServer: boolean) => {
    void client.close({ discard: true })
    tokens.clear(device)
    const next = openStored()
    setEnded(byServer && !next)
    setOpened(next)
  }, [])

  useEffect(() => {
    if (!opened) return undefined
    const { client, device } = opened
    const refused = (error: unknown) => {
      if (!opened.leaving && endsSession(error)) end(opened, true)
    }
    client.connect().catch(refused)
    const off = client.connection.subscribe(({ state, error }) => {
      if (state === 'closed' && error) refused(error)
    })
    // Another tab signed out, or in as somebody else: this one follows.
    const stored = () => {
      if (tokens.current()?.device.id !== device) end(opened, false)
    }
    addEventListener('storage', stored)
    return () => {
      off()
      removeEventListener('storage', stored)
      void client.close()
    }
  }, [opened, end])

  const signedIn = (session: Session) => {
    tokens.save(session)
    setEnded(false)
    if (route.page === 'setup') go({ page: 'home' }, { replace: true })
    setOpened(openStored())
  }

  if (!opened) {
    return <SignInPage key={route.page} setupToken={route.page === 'setup' ? route.token : undefined} ended={ended} onSession={signedIn} />
  }
  return (
    <ClientContext value={opened.client}>
      <ToastProvider>
        <Chat
          onSignOut={async () => {
            opened.leaving = true
            try {
              await opened.client.logout()
            } finally {
              // Without network the server learns nothing of it, but here it is done all the same.
              clearDrafts()
              go({ page: 'home' }, { replace: true })
              end(opened, false)
            }
          }}
        />
      </ToastProvider>
    </ClientContext>
  )
}

interface Opened {
  client: Client
  /** The device whose session the client is of. */
  device: string
  /** The user is signing out: what the server says of the session is no news. */
  leaving: boolean
}

function openStored(): Opened | undefined {
  const session = tokens.current()
  if (!session) return undefined
  const device = session.device.id
  const getToken: GetToken = async (options) => {
    // The session in the store may be another tab's, of somebody else.
    if (tokens.current()?.device.id !== device) throw new ChatError('token_revoked', 'this session has ended', { status: 401 })
    return tokens.getToken(options)
  }
  return { client: createClient({ url: '', getToken, user: session.user.id }), device, leaving: false }
}
