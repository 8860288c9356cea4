// A face for an id: always the same sheen and speckles, like no two starlings wear the same.
import type { CSSProperties } from 'react'

/** FNV-1a: small, and spreads short ids well. */
export function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}

/** One or two letters that stand for a name; the first sign alone for scripts without spaces. */
export function initials(name: string): string {
  const words = name.trim().split(/[\s._=-]+/u).filter(Boolean)
  const first = [...(words[0] ?? '?')][0] ?? '?'
  if (/\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}/u.test(first)) return first
  const last = words.length > 1 ? ([...(words[words.length - 1] ?? '')][0] ?? '') : ''
  return (first + last).toLocaleUpperCase()
}

// Feathers shine from teal over blue to magenta; the greens and oranges stay out.
const HUE_FROM = 175
const HUE_SPAN = 175

export function hueOf(id: string): number {
  return HUE_FROM + (hash(id) % HUE_SPAN)
}

interface AvatarProps {
  id: string
  name: string
  size?: number
  square?: boolean
  online?: boolean
}

const SPECKLES = 5

export function Avatar({ id, name, size = 40, square = false, online }: AvatarProps) {
  const seed = hash(id)
  const style = { '--hue': hueOf(id), '--size': `${size}px` } as CSSProperties
  const speckles = Array.from({ length: SPECKLES }, (_, i) => {
    const bits = hash(`${seed}.${i}`)
    return { x: 8 + (bits % 84), y: 8 + ((bits >>> 8) % 84), r: 1.6 + ((bits >>> 16) % 20) / 10 }
  })
  return (
    <span className={square ? 'avatar square' : 'avatar'} style={style} aria-hidden="true">
      <svg viewBox="0 0 100 100">
        {speckles.map(({ x, y, r }, i) => (
          <circle key={i} cx={x} cy={y} r={r} />
        ))}
      </svg>
      <span className="avatar-initials">{initials(name)}</span>
      {online && <span className="avatar-online" />}
    </span>
  )
}
