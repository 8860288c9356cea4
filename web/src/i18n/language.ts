// Which language is shown: the person's choice, else the browser's.
import { en, type Dictionary } from './en'
import { zh } from './zh'

export type Language = 'en' | 'zh'
export type LanguageChoice = 'auto' | Language

export const dictionaries: Record<Language, Dictionary> = { en, zh }

/** BCP 47 tags: what `<html lang>` says and what `Intl` formats by. */
export const tags: Record<Language, string> = { en: 'en', zh: 'zh-CN' }

const KEY = 'starling.language'

export function storedChoice(): LanguageChoice {
  const value = localStorage.getItem(KEY)
  return value === 'en' || value === 'zh' ? value : 'auto'
}

export function storeChoice(choice: LanguageChoice): void {
  if (choice === 'auto') localStorage.removeItem(KEY)
  else localStorage.setItem(KEY, choice)
}

/** The first of the browser's languages that there is a dictionary for. */
export function resolve(choice: LanguageChoice, preferred: readonly string[] = navigator.languages): Language {
  if (choice !== 'auto') return choice
  for (const tag of preferred) {
    if (tag.toLowerCase().startsWith('zh')) return 'zh'
    if (tag.toLowerCase().startsWith('en')) return 'en'
  }
  return 'en'
}
