// Who is writing at the moment.
import type { User } from '@starling/client'
import type { Dictionary } from '../i18n/en'

export function typingText(users: User[], t: Dictionary): string {
  const [a, b] = users
  if (!a) return ''
  if (!b) return t.typingOne(a.display_name)
  return users.length === 2 ? t.typingTwo(a.display_name, b.display_name) : t.typingMany(users.length)
}

export function TypingDots() {
  return (
    <span className="typing-dots" aria-hidden="true">
      <i />
      <i />
      <i />
    </span>
  )
}
