// One message: its bubble, what it answers, its time and status, its reactions, and the ways to act on it.
import { memo, useState, type KeyboardEvent } from 'react'
import type { TimelineItem } from '@starling/client'
import { useText } from '../i18n/text'
import { useUser } from '../hooks/use-client'
import { problemText } from '../hooks/use-problem'
import { useLongPress } from '../hooks/use-long-press'
import { Avatar, hueOf } from '../ui/avatar'
import { Icon } from '../ui/icon'
import { MessageEditor } from './edit'
import { MessageMenu, useMessageAbilities, type OpenMenu } from './message-menu'
import { contentLine, isEmojiOnly, MessageText } from './message-text'
import { ReactionChips } from './reaction'
import { StatusIcon } from './receipts'
import { useMessageScope } from './room-context'

interface MessageProps {
  item: TimelineItem
  quoted?: TimelineItem
  first: boolean
  last: boolean
  editing: boolean
  focusable: boolean
}

export const Message = memo(function Message({ item, quoted, first, last, editing, focusable }: MessageProps) {
  const { t, time } = useText()
  const { room, me, group, actions } = useMessageScope()
  const sender = useUser(item.sender)
  const may = useMessageAbilities(item)
  const [menu, setMenu] = useState<OpenMenu>()
  const canAct = may.react || may.reply || may.edit || may.delete || may.copy
  const press = useLongPress((anchor) => canAct && !editing && setMenu({ anchor, start: 'menu', sheet: true }))
  const open = (start: 'menu' | 'reactions') => (element: HTMLElement) => setMenu({ anchor: element.getBoundingClientRect(), start })
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if (event.target !== event.currentTarget || !canAct) return
    if (event.key === 'Enter' || event.key === 'ContextMenu') {
      event.preventDefault()
      open('menu')(event.currentTarget.querySelector<HTMLElement>('.bubble') ?? event.currentTarget)
    }
  }
  const large = !item.deleted && item.content !== undefined && isEmojiOnly(item.content.text) && item.replyTo === undefined
  const classes = ['message', item.mine ? 'mine' : 'theirs', first && 'first', last && 'last', large && 'emoji-only', !item.mine && item.content?.mentions?.includes(me) && 'mentions-me', item.deleted && 'deleted']
  return (
    <article
      className={classes.filter(Boolean).join(' ')}
      aria-label={t.messageFrom(item.mine ? t.you : sender.display_name, time.clock(item.at))}
      data-key={item.key}
      data-seq={item.seq}
      data-status={item.status}
      tabIndex={focusable ? 0 : -1}
      onKeyDown={onKeyDown}
    >
      {group && !item.mine && (
        <div className="message-face">{last && <Avatar id={sender.id} name={sender.display_name} size={32} />}</div>
      )}
      <div className="message-body">
        <div className="bubble" {...press}>
          {group && !item.mine && first && (
            <div className="message-sender" style={{ '--hue': hueOf(sender.id) } as React.CSSProperties}>{sender.display_name}</div>
          )}
          {item.replyTo !== undefined && !item.deleted && <Quote seq={item.replyTo} quoted={quoted} />}
          {editing && !item.deleted ? (
            <MessageEditor item={item} />
          ) : item.deleted || !item.content ? (
            <p className="message-text">
              <span className="tombstone">{t.messageDeleted}</span>
              <MetaRoom item={item} />
            </p>
          ) : (
            <MessageText content={item.content} trailer={<MetaRoom item={item} />} />
          )}
          {!editing && <Meta item={item} />}
          {canAct && !editing && <Toolbar item={item} may={may} onOpen={(start, element) => open(start)(element)} />}
        </div>
        {!item.deleted && (
          <ReactionChips
            reactions={item.reactions}
            disabled={!may.react}
            onToggle={(key) => item.seq !== undefined && room.react(item.seq, key).catch(actions.fail)}
          />
        )}
        {item.status === 'failed' && <Failed item={item} />}
      </div>
      {menu && <MessageMenu item={item} {...menu} onClose={() => setMenu(undefined)} />}
    </article>
  )
})

/** Time, `edited`, status; it stands in the corner of the bubble. */
function Meta({ item }: { item: TimelineItem }) {
  const { t, time } = useText()
  return (
    <span className="meta">
      {item.edited && !item.deleted && <span className="meta-edited">{t.edited}</span>}
      <time dateTime={new Date(item.at).toISOString()} title={time.full(item.at)}>{time.clock(item.at)}</time>
      {item.mine && item.status && !item.deleted && <StatusIcon status={item.status} />}
    </span>
  )
}

/** Keeps the room that the meta needs free at the end of the last line. Drawn by CSS, so that it is no part of the text. */
function MetaRoom({ item }: { item: TimelineItem }) {
  const { t, time } = useText()
  const words = item.edited && !item.deleted ? `${t.edited} ${time.clock(item.at)}` : time.clock(item.at)
  return <span className={item.mine && item.status && !item.deleted ? 'meta-room with-status' : 'meta-room'} data-words={words} aria-hidden="true" />
}

function Quote({ seq, quoted }: { seq: number; quoted?: TimelineItem }) {
  const { t } = useText()
  const { actions } = useMessageScope()
  return (
    <button type="button" className="quote" onClick={() => actions.jump(seq)} tabIndex={-1}>
      {quoted ? <QuoteText item={quoted} /> : <span className="quote-text">{t.originalMissing}</span>}
    </button>
  )
}

export function QuoteText({ item }: { item: TimelineItem }) {
  const { t } = useText()
  const sender = useUser(item.sender)
  return (
    <>
      <span className="quote-name">{item.mine ? t.you : sender.display_name}</span>
      <span className="quote-text">{item.deleted ? t.messageDeleted : contentLine(item.content)}</span>
    </>
  )
}

interface ToolbarProps {
  item: TimelineItem
  may: ReturnType<typeof useMessageAbilities>
  onOpen: (start: 'menu' | 'reactions', element: HTMLElement) => void
}

function Toolbar({ item, may, onOpen }: ToolbarProps) {
  const { t } = useText()
  const { actions } = useMessageScope()
  return (
    <div className="toolbar" role="toolbar" aria-label={t.messageActions}>
      {may.react && (
        <button type="button" className="icon-button" aria-label={t.react} title={t.react} onClick={(event) => onOpen('reactions', event.currentTarget)}>
          <Icon name="emoji" size={18} />
        </button>
      )}
      {may.reply && (
        <button type="button" className="icon-button" aria-label={t.reply} title={t.reply} onClick={() => actions.reply(item)}>
          <Icon name="reply" size={18} />
        </button>
      )}
      <button type="button" className="icon-button" aria-label={t.more} title={t.more} aria-haspopup="menu" onClick={(event) => onOpen('menu', event.currentTarget)}>
        <Icon name="more" size={18} />
      </button>
    </div>
  )
}

function Failed({ item }: { item: TimelineItem }) {
  const { t, language } = useText()
  return (
    <div className="failed" role="alert">
      <span>{item.error ? `${t.statusFailed}: ${problemText(item.error, t, language)}` : t.statusFailed}</span>
      <button type="button" className="link" onClick={() => item.outgoing?.retry()}>{t.retry}</button>
      <button type="button" className="link" onClick={() => item.outgoing?.cancel()}>{t.discard}</button>
    </div>
  )
}
