// Reactions: the chips below a message, the quick row, the picker.
import type { Reaction } from '@starling/client'
import { useText } from '../i18n/text'
import { EmojiGrid } from '../ui/emoji'

export const QUICK_REACTIONS = ['👍', '❤️', '😂', '🎉', '😮', '🙏']

interface ChipsProps {
  reactions: Reaction[]
  disabled: boolean
  onToggle: (key: string) => void
}

export function ReactionChips({ reactions, disabled, onToggle }: ChipsProps) {
  const { t } = useText()
  if (reactions.length === 0) return null
  return (
    <div className="reactions">
      {reactions.map(({ key, count, mine }) => (
        <button
          key={key}
          type="button"
          className="reaction"
          aria-pressed={mine}
          aria-label={t.reactionLabel(key, count)}
          disabled={disabled}
          onClick={() => onToggle(key)}
        >
          <span className="reaction-key">{key}</span>
          <span className="reaction-count">{count}</span>
        </button>
      ))}
    </div>
  )
}

interface PickerProps {
  mine: string[]
  inMenu?: boolean
  onPick: (key: string) => void
}

export function QuickReactions({ mine, inMenu = false, onPick }: PickerProps) {
  const { t } = useText()
  return (
    <div className="quick-reactions" role="group" aria-label={t.react}>
      {QUICK_REACTIONS.map((key) => {
        const state = inMenu ? ({ role: 'menuitemcheckbox', 'aria-checked': mine.includes(key) } as const) : { 'aria-pressed': mine.includes(key) }
        return (
          <button key={key} type="button" {...state} aria-label={t.reactWith(key)} onClick={() => onPick(key)}>
            {key}
          </button>
        )
      })}
    </div>
  )
}

export function ReactionPicker({ mine, onPick }: PickerProps) {
  const { t } = useText()
  return (
    <>
      <QuickReactions mine={mine} onPick={onPick} />
      <EmojiGrid label={t.reactWith} onPick={onPick} />
    </>
  )
}
