// The texts and time formats of the chosen language, for every component below.
import { createContext, useContext, useLayoutEffect, useMemo, useState, type ReactNode } from 'react'
import type { Dictionary } from './en'
import { dictionaries, resolve, storeChoice, storedChoice, tags, type Language, type LanguageChoice } from './language'
import { timeFormats, type TimeFormats } from './time'

interface Text {
  t: Dictionary
  time: TimeFormats
  language: Language
  choice: LanguageChoice
  choose: (choice: LanguageChoice) => void
}

const TextContext = createContext<Text | null>(null)

export function TextProvider({ children }: { children: ReactNode }) {
  const [choice, setChoice] = useState(storedChoice)
  const language = resolve(choice)
  useLayoutEffect(() => {
    document.documentElement.lang = tags[language]
  }, [language])
  const value = useMemo<Text>(
    () => ({
      t: dictionaries[language],
      time: timeFormats(language),
      language,
      choice,
      choose: (next) => {
        storeChoice(next)
        setChoice(next)
      },
    }),
    [language, choice],
  )
  return <TextContext value={value}>{children}</TextContext>
}

export function useText(): Text {
  const text = useContext(TextContext)
  if (!text) throw new Error('useText needs a TextProvider above it')
  return text
}
