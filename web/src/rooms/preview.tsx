// The second line of a room in the list: who types, a draft, or the last message.
import type { RoomView } from '@starling/client'
import { useText } from '../i18n/text'
import { useMe, useRoom, useUser } from '../hooks/use-client'
import { readDraft } from '../hooks/use-draft'
import { useStore } from '../hooks/use-store'
import { TypingDots, typingText } from '../timeline/typing'
import { contentLine } from '../timeline/message-text'

export function RoomPreview({ view, active }: { view: RoomView; active: boolean }) {
  const { t } = useText()
  const room = useRoom(view.id)
  const typing = useStore(room.typingUsers)
  const me = useMe()
  const message = view.last_message
  const sender = useUser(message?.sender ?? '')
  if (typing.length > 0) {
    return (
      <span className="preview typing-preview">
        <TypingDots />
        <span>{view.kind === 'direct' ? t.typingShort : typingText(typing, t)}</span>
      </span>
    )
  }
  const draft = me && !active ? readDraft(me.id, view.id).text.trim() : ''
  if (draft) return <span className="preview"><span className="preview-draft">{t.draft}</span> {draft}</span>
  if (message?.type !== 'message.created') return <span className="preview">{t.noMessagesYet}</span>
  const text = message.deleted ? t.messageDeleted : contentLine(message.content)
  const mine = message.sender === me?.id
  const line = mine ? t.ownPreview(text) : view.kind === 'group' ? t.namedPreview(sender.display_name, text) : text
  return (
    <span className={message.deleted ? 'preview deleted' : 'preview'}>
      {line}
      {message.edited && !message.deleted && <span className="preview-edited"> ({t.edited})</span>}
    </span>
  )
}
