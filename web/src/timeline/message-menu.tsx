// What can be done with a message: quick reactions, then reply, edit, copy, delete. A popover, on phones a sheet.
import { useState } from 'react'
import type { TimelineItem } from '@starling/client'
import { useText } from '../i18n/text'
import { Dialog } from '../ui/dialog'
import { Icon } from '../ui/icon'
import { Popover } from '../ui/popover'
import { QuickReactions, ReactionPicker } from './reaction'
import { useMessageScope } from './room-context'

/** What may be done with it, by whom it is from and the own level. */
export function useMessageAbilities(item: TimelineItem) {
  const { able } = useMessageScope()
  const there = item.seq !== undefined && !item.deleted
  return {
    react: there && able.react,
    reply: there && able.send,
    edit: there && item.mine && able.send,
    delete: there && able.joined && (item.mine || able.redact),
    copy: !item.deleted && item.content !== undefined,
  }
}

export interface OpenMenu {
  anchor: DOMRect
  start: 'menu' | 'reactions'
  /** Opened by a finger: shown as a sheet. (A popover would take the finger's lifting for a click elsewhere.) */
  sheet?: boolean
}

interface MenuProps extends OpenMenu {
  item: TimelineItem
  onClose: () => void
}

export function MessageMenu({ item, anchor, start, sheet = false, onClose }: MenuProps) {
  const { t } = useText()
  const { room, actions } = useMessageScope()
  const [shown, setShown] = useState(start)
  const mine = item.reactions.filter((reaction) => reaction.mine).map((reaction) => reaction.key)
  const react = (key: string) => {
    onClose()
    if (item.seq !== undefined) room.react(item.seq, key).catch(actions.fail)
  }
  const align = item.mine ? 'end' : 'start'
  const picker = <ReactionPicker mine={mine} onPick={react} />
  const menu = <Entries item={item} mine={mine} onReact={react} onMore={() => setShown('reactions')} onClose={onClose} />
  if (sheet) {
    return (
      <Dialog title={shown === 'menu' ? t.messageActions : t.react} bare className="sheet" onClose={onClose}>
        {shown === 'menu' ? <div role="menu" aria-label={t.messageActions}>{menu}</div> : picker}
      </Dialog>
    )
  }
  if (shown === 'reactions') {
    return <Popover key="reactions" anchor={anchor} label={t.react} className="emoji-popover" onClose={onClose} align={align}>{picker}</Popover>
  }
  return <Popover key="menu" anchor={anchor} label={t.messageActions} className="menu" role="menu" onClose={onClose} align={align}>{menu}</Popover>
}

interface EntriesProps {
  item: TimelineItem
  mine: string[]
  onReact: (key: string) => void
  onMore: () => void
  onClose: () => void
}

function Entries({ item, mine, onReact, onMore, onClose }: EntriesProps) {
  const { t } = useText()
  const { actions } = useMessageScope()
  const may = useMessageAbilities(item)
  const then = (action: (item: TimelineItem) => void) => () => {
    onClose()
    action(item)
  }
  return (
    <>
      {may.react && (
        <div className="menu-reactions" role="none">
          <QuickReactions mine={mine} onPick={onReact} inMenu />
          <button type="button" role="menuitem" className="icon-button" aria-label={t.moreReactions} onClick={onMore}>
            <Icon name="emoji" />
          </button>
        </div>
      )}
      {may.reply && <MenuItem icon="reply" text={t.reply} onPick={then(actions.reply)} />}
      {may.edit && <MenuItem icon="edit" text={t.edit} onPick={then(actions.edit)} />}
      {may.copy && <MenuItem icon="copy" text={t.copyText} onPick={then(actions.copy)} />}
      {may.delete && <MenuItem icon="trash" text={t.delete} danger onPick={then(actions.askDelete)} />}
    </>
  )
}

interface MenuItemProps {
  icon: Parameters<typeof Icon>[0]['name']
  text: string
  danger?: boolean
  onPick: () => void
}

export function MenuItem({ icon, text, danger = false, onPick }: MenuItemProps) {
  return (
    <button type="button" role="menuitem" className={danger ? 'menu-item danger' : 'menu-item'} onClick={onPick}>
      <Icon name={icon} />
      <span>{text}</span>
    </button>
  )
}
