// Where messages are written: Enter sends, Shift+Enter breaks the line, Arrow Up edits the last own one.
import { useEffect, useId, useMemo, useRef, useState } from 'react'
import type { TimelineItem, User } from '@starling/client'
import { useText } from '../i18n/text'
import { useUser } from '../hooks/use-client'
import { readDraft, writeDraft } from '../hooks/use-draft'
import { EmojiGrid } from '../ui/emoji'
import { Growing, isComposing } from '../ui/growing'
import { Icon } from '../ui/icon'
import { Popover } from '../ui/popover'
import { usesMarkdown } from './markdown'
import { MentionList, useMentionChoice, useOthers } from './mention-picker'
import { insertMention, mentionedIn } from './mentions'
import { QuoteText } from './message'
import { useRoomScope } from './room-context'
import { roomTitle } from '../rooms/title'

/** The server's `text_bytes_max`. */
const TEXT_BYTES_MAX = 16_384
const encoder = new TextEncoder()

interface ComposerProps {
  replyTo?: number
  quoted?: TimelineItem
  onReply: (seq: number | undefined) => void
  onSent: () => void
  onEditLast: () => void
}

export function Composer({ replyTo, quoted, onReply, onSent, onEditLast }: ComposerProps) {
  const { t } = useText()
  const { room, view, me } = useRoomScope()
  const [text, setText] = useState(() => readDraft(me, room.id).text)
  const [caret, setCaret] = useState(text.length)
  const [emoji, setEmoji] = useState<DOMRect>()
  const area = useRef<HTMLTextAreaElement>(null)
  const quotedSender = useUser(quoted?.sender ?? me)
  const quotedName = !quoted ? t.originalMissing : quoted.mine ? t.you : quotedSender.display_name
  const tooLong = text.length * 3 > TEXT_BYTES_MAX && encoder.encode(text.trim()).length > TEXT_BYTES_MAX

  const others = useOthers(room, me, text.includes('@'))
  const ids = useMemo(() => new Set(others.map(({ id }) => id)), [others])

  useEffect(() => writeDraft(me, room.id, { text, replyTo }), [me, room.id, text, replyTo])
  useEffect(() => {
    // A soft keyboard that opens by itself would hide what the person came to read.
    if (matchMedia('(hover: hover)').matches) area.current?.focus({ preventScroll: true })
  }, [replyTo])
  useEffect(() => () => room.typing.stop(), [room])

  const change = (next: string) => {
    setText(next)
    if (next.trim() === '') room.typing.stop()
    else room.typing.keystroke()
  }

  const send = () => {
    const message = text.trim()
    if (message === '' || tooLong) return
    const mentions = mentionedIn(message, ids)
    const outgoing = room.send(message, { format: usesMarkdown(message) ? 'markdown' : 'plain', replyTo, mentions })
    // The line in the timeline shows what becomes of it.
    outgoing.sent.catch(() => undefined)
    setText('')
    onReply(undefined)
    room.typing.stop()
    onSent()
    area.current?.focus({ preventScroll: true })
  }

  const insert = (sign: string) => {
    const at = area.current?.selectionStart ?? text.length
    const end = area.current?.selectionEnd ?? at
    change(text.slice(0, at) + sign + text.slice(end))
    place(at + sign.length)
  }

  /** Puts the caret there once the text is drawn. */
  const place = (at: number) =>
    requestAnimationFrame(() => {
      area.current?.focus({ preventScroll: true })
      area.current?.setSelectionRange(at, at)
      setCaret(at)
    })

  const choice = useMentionChoice({
    text,
    caret,
    people: others,
    listId: useId(),
    onPick: (user: User, from: number) => {
      const next = insertMention(text, from, caret, user.id)
      change(next.text)
      setCaret(next.caret)
      place(next.caret)
    },
  })

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      {replyTo !== undefined && (
        <div className="reply-bar" role="group" aria-label={t.replyingTo(quotedName)}>
          <Icon name="reply" size={18} />
          <div className="reply-bar-text">
            {quoted ? <QuoteText item={quoted} /> : <span className="quote-text">{t.originalMissing}</span>}
          </div>
          <button type="button" className="icon-button" aria-label={t.cancel} onClick={() => onReply(undefined)}>
            <Icon name="close" size={18} />
          </button>
        </div>
      )}
      <MentionList choice={choice} />
      <div className="composer-row">
        <button type="button" className="icon-button" aria-label={t.emoji} aria-haspopup="dialog" onClick={(event) => setEmoji(event.currentTarget.getBoundingClientRect())}>
          <Icon name="emoji" />
        </button>
        <Growing
          handle={area}
          value={text}
          onChange={change}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
          aria-autocomplete="list"
          aria-controls={choice.options.length > 0 ? choice.listId : undefined}
          aria-activedescendant={choice.options.length > 0 ? `${choice.listId}-${choice.current}` : undefined}
          aria-label={t.messageTo(roomTitle(view, t))}
          aria-invalid={tooLong || undefined}
          placeholder={t.message}
          enterKeyHint="send"
          onBlur={() => room.typing.stop()}
          onKeyDown={(event) => {
            if (isComposing(event) || choice.onKeyDown(event)) return
            if (event.key === 'Enter' && !event.shiftKey) {
              event.preventDefault()
              send()
            } else if (event.key === 'ArrowUp' && text === '') {
              event.preventDefault()
              onEditLast()
            } else if (event.key === 'Escape' && replyTo !== undefined) {
              event.preventDefault()
              onReply(undefined)
            }
          }}
        />
        <button type="submit" className="send-button" aria-label={t.send} disabled={text.trim() === '' || tooLong}>
          <Icon name="send" />
        </button>
      </div>
      {tooLong && <p className="problem" role="alert">{t.tooLong}</p>}
      {emoji && (
        <Popover anchor={emoji} label={t.emoji} className="emoji-popover" onClose={() => setEmoji(undefined)}>
          <EmojiGrid label={(sign) => sign} onPick={insert} />
        </Popover>
      )}
    </form>
  )
}
