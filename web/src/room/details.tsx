// The pane beside a conversation: what it is, its settings, its members, leaving it.
import { useEffect, useRef, useState } from 'react'
import type { HistoryVisibility, RoomSettings } from '@starling/client'
import { useText } from '../i18n/text'
import { useAction } from '../hooks/use-problem'
import { go, routeHash } from '../hooks/use-route'
import { ROOM_NAME_MAX, JoinRuleChoice } from '../rooms/new-group'
import { RoomFace } from '../rooms/room-face'
import { abilities, useRoomScope } from '../timeline/room-context'
import { copyText } from '../ui/clipboard'
import { Confirm } from '../ui/confirm'
import { Dialog } from '../ui/dialog'
import { Icon } from '../ui/icon'
import { useToast } from '../ui/toast'
import { PeerState } from './header'
import { Members } from './members'
import { roomTitle } from '../rooms/title'

const TOPIC_MAX = 1024

export function Details({ onClose }: { onClose: () => void }) {
  const { t } = useText()
  const { view, room } = useRoomScope()
  const able = abilities(view)
  const toast = useToast()
  const [leaving, setLeaving] = useState(false)
  const [editing, setEditing] = useState(false)
  const close = useRef<HTMLButtonElement>(null)
  useEffect(() => close.current?.focus({ preventScroll: true }), [])
  return (
    <aside
      className="details"
      aria-label={t.details}
      onKeyDown={(event) => {
        // Esc belongs to a menu or dialog that is open above.
        if (event.key === 'Escape' && !document.querySelector('dialog[open], :popover-open')) onClose()
      }}
    >
      <header className="details-head">
        <h2>{t.details}</h2>
        <button ref={close} type="button" className="icon-button" aria-label={t.close} onClick={onClose}><Icon name="close" /></button>
      </header>
      <div className="details-scroll">
        <section className="details-card">
          <RoomFace view={view} size={84} />
          <h3>{roomTitle(view, t)}</h3>
          {view.kind === 'direct' ? (
            <>
              <p className="muted">@{view.peer?.user.id}</p>
              <p className="muted"><PeerState view={view} /></p>
            </>
          ) : (
            <>
              {view.members > 0 && <p className="muted">{t.memberCount(view.members)} · {view.settings.join_rule === 'open' ? t.joinOpen : t.joinInvite}</p>}
              {view.settings.topic && <p className="details-topic">{view.settings.topic}</p>}
            </>
          )}
          <div className="details-buttons">
            {view.kind === 'group' && view.settings.join_rule === 'open' && (
              <button
                type="button"
                className="button small"
                onClick={() => {
                  copyText(location.origin + location.pathname + routeHash({ page: 'room', room: view.id })).then(() => toast(t.linkCopied), () => toast(t.errorUnknown))
                }}
              >
                <Icon name="link" size={16} /> {t.copyLink}
              </button>
            )}
            {able.settings && (
              <button type="button" className="button small" onClick={() => setEditing(true)}><Icon name="edit" size={16} /> {t.groupSettings}</button>
            )}
          </div>
        </section>
        {view.kind === 'group' && <Members />}
        {view.kind === 'group' && able.joined && (
          <button type="button" className="menu-item danger leave" onClick={() => setLeaving(true)}><Icon name="leave" /> <span>{t.leave}</span></button>
        )}
      </div>
      {editing && <GroupSettings onClose={() => setEditing(false)} />}
      {leaving && (
        <Confirm
          title={t.leaveTitle}
          hint={t.leaveHint}
          action={t.leave}
          onClose={() => setLeaving(false)}
          onConfirm={async () => {
            await room.leave()
            go({ page: 'home' }, { replace: true })
          }}
        />
      )}
    </aside>
  )
}

function GroupSettings({ onClose }: { onClose: () => void }) {
  const { t } = useText()
  const { view, room } = useRoomScope()
  const was = view.settings
  const [name, setName] = useState(was.name ?? '')
  const [topic, setTopic] = useState(was.topic ?? '')
  const [rule, setRule] = useState(was.join_rule ?? 'invite')
  const [history, setHistory] = useState<HistoryVisibility>(was.history ?? 'members')
  const { busy, problem, run } = useAction()
  const histories: { value: HistoryVisibility; text: string }[] = [
    { value: 'joined', text: t.historyJoined },
    { value: 'invited', text: t.historyInvited },
    { value: 'members', text: t.historyMembers },
    { value: 'anyone', text: t.historyAnyone },
  ]
  const save = async () => {
    const changed: RoomSettings = {}
    if (name.trim() !== (was.name ?? '')) changed.name = name.trim()
    if (topic.trim() !== (was.topic ?? '')) changed.topic = topic.trim()
    if (rule !== (was.join_rule ?? 'invite')) changed.join_rule = rule
    if (history !== (was.history ?? 'members')) changed.history = history
    if (Object.keys(changed).length === 0 || (await run(() => room.update(changed)))) onClose()
  }
  return (
    <Dialog title={t.groupSettings} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault()
          void save()
        }}
      >
        <label className="field">
          <span className="field-label">{t.groupName}</span>
          <input value={name} maxLength={ROOM_NAME_MAX} data-autofocus onChange={(event) => setName(event.target.value)} />
        </label>
        <label className="field">
          <span className="field-label">{t.groupTopic}</span>
          <textarea rows={2} value={topic} maxLength={TOPIC_MAX} onChange={(event) => setTopic(event.target.value)} />
        </label>
        <JoinRuleChoice value={rule} onChange={setRule} />
        <label className="field">
          <span className="field-label">{t.history}</span>
          <select value={history} onChange={(event) => setHistory(event.target.value as HistoryVisibility)}>
            {histories.map(({ value, text }) => <option key={value} value={value}>{text}</option>)}
          </select>
        </label>
        {problem && <p className="problem" role="alert">{problem}</p>}
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={onClose}>{t.cancel}</button>
          <button type="submit" className="button primary" disabled={busy}>{t.save}</button>
        </footer>
      </form>
    </Dialog>
  )
}
