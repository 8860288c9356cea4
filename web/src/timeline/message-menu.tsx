// What can be done with a message: quick reactions, then reply, edit, copy, delete. A popover, on phones a sheet.
import { useState } from 'react'
import type { TimelineItem } from '@starling/client'
import { useText } from '../i18n/text'
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

interface MenuProps {
  item: TimelineItem
  anchor: DOMRect
  start?: 'menu' | 'reactions'
  onClose: () => void
}

export function MessageMenu({ item, anchor, start = 'menu', onClose }: MenuProps) {
  const { t } = useText()
  const { room, actions } = useMessageScope()
  const may = useMessageAbilities(item)
  const [shown, setShown] = useState(start)
  const mine = item.reactions.filter((reaction) => reaction.mine).map((reaction) => reaction.key)
  const then = (action: () => void) => () => {
    onClose()
    action()
  }
  const react = (key: string) => {
    onClose()
    if (item.seq !== undefined) room.react(item.seq, key).catch(actions.fail)
  }
  if (shown === 'reactions') {
    return (
      <Popover key="reactions" anchor={anchor} label={t.react} className="emoji-popover" onClose={onClose} align={item.mine ? 'end' : 'start'}>
        <ReactionPicker mine={mine} onPick={react} />
      </Popover>
    )
  }
  return (
    <Popover key="menu" anchor={anchor} label={t.messageActions} className="menu" role="menu" onClose={onClose} align={item.mine ? 'end' : 'start'}>
      {may.react && (
        <div className="menu-reactions">
          <QuickReactions mine={mine} onPick={react} />
          <button type="button" className="icon-button" aria-label={t.moreReactions} onClick={() => setShown('reactions')}>
            <Icon name="emoji" />
          </button>
        </div>
      )}
      {may.reply && <MenuItem icon="reply" text={t.reply} onPick={then(() => actions.reply(item))} />}
      {may.edit && <MenuItem icon="edit" text={t.edit} onPick={then(() => actions.edit(item))} />}
      {may.copy && (
        <MenuItem icon="copy" text={t.copyText} onPick={then(() => actions.copy(item))} />
      )}
      {may.delete && <MenuItem icon="trash" text={t.delete} danger onPick={then(() => actions.askDelete(item))} />}
    </Popover>
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
