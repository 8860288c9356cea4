// The choice of language, by each language's own name.
import { useText } from '../i18n/text'
import type { LanguageChoice } from '../i18n/language'

export function LanguageMenu() {
  const { t, choice, choose } = useText()
  return (
    <label className="language-menu">
      <span className="visually-hidden">{t.language}</span>
      <select value={choice} aria-label={t.language} onChange={(event) => choose(event.target.value as LanguageChoice)}>
        <option value="auto">{t.languageAuto}</option>
        <option value="en">English</option>
        <option value="zh">中文</option>
      </select>
    </label>
  )
}
