// Errors in the reader's language, by their stable code.
import { useCallback, useState } from 'react'
import { ChatError } from '@starling/client'
import { codes } from '@starling/client/codes'
import type { Dictionary } from '../i18n/en'
import type { Language } from '../i18n/language'
import { useText } from '../i18n/text'

export function problemText(error: unknown, t: Dictionary, language: Language): string {
  if (!(error instanceof ChatError)) return t.errorUnknown
  switch (error.code) {
    case 'network':
      return t.errorNetwork
    case 'closed':
      return t.errorClosed
    case 'cancelled':
      return t.errorCancelled
    default: {
      const title = codes[error.code]?.[language] ?? t.errorUnknown
      return error.code === 'internal' && error.requestId ? `${title} (${t.errorReference(error.requestId)})` : title
    }
  }
}

/** Runs an action; remembers whether it runs and what went wrong. */
export function useAction(): {
  busy: boolean
  problem: string | undefined
  clear: () => void
  run: (action: () => Promise<unknown>) => Promise<boolean>
} {
  const { t, language } = useText()
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string>()
  const run = useCallback(
    async (action: () => Promise<unknown>) => {
      setBusy(true)
      setProblem(undefined)
      try {
        await action()
        return true
      } catch (error) {
        setProblem(problemText(error, t, language))
        return false
      } finally {
        setBusy(false)
      }
    },
    [t, language],
  )
  const clear = useCallback(() => setProblem(undefined), [])
  return { busy, problem, clear, run }
}
