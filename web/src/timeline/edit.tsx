// Editing an own message where it stands.
import { useState } from 'react'
import type { TimelineItem } from '@starling/client'
import { useText } from '../i18n/text'
import { useAction } from '../hooks/use-problem'
import { Growing, isComposing } from '../ui/growing'
import { usesMarkdown } from './markdown'
import { useMessageScope } from './room-context'

export function MessageEditor({ item }: { item: TimelineItem }) {
  const { t } = useText()
  const { room, actions } = useMessageScope()
  const original = item.content?.text ?? ''
  const [text, setText] = useState(original)
  const { busy, problem, run } = useAction()
  const save = async () => {
    const next = text.trim()
    if (next === '' || next === original || item.seq === undefined) return actions.endEdit()
    const seq = item.seq
    if (await run(() => room.edit(seq, next, { format: usesMarkdown(next) ? 'markdown' : 'plain' }))) actions.endEdit()
  }
  return (
    <form
      className="message-editor"
      onSubmit={(event) => {
        event.preventDefault()
        void save()
      }}
    >
      <Growing
        value={text}
        aria-label={t.editingMessage}
        autoFocus
        onChange={setText}
        onKeyDown={(event) => {
          if (isComposing(event)) return
          event.stopPropagation()
          if (event.key === 'Escape') {
            event.preventDefault()
            actions.endEdit()
          } else if (event.key === 'Enter' && !event.shiftKey) {
            event.preventDefault()
            void save()
          }
        }}
      />
      {problem && <p className="problem" role="alert">{problem}</p>}
      <footer>
        <span className="muted">{t.editHint}</span>
        <button type="button" className="button small" onClick={actions.endEdit}>{t.cancel}</button>
        <button type="submit" className="button small primary" disabled={busy}>{t.save}</button>
      </footer>
    </form>
  )
}
