// Members: their levels, inviting, removing, changing levels, as the own level allows.
import { useState } from 'react'
import type { Member, User } from '@starling/client'
import { useText } from '../i18n/text'
import { useMembers } from '../hooks/use-members'
import { usePresence } from '../hooks/use-presence'
import { problemText, useAction } from '../hooks/use-problem'
import { PeoplePicker } from '../rooms/people-picker'
import { PersonLabel } from '../rooms/person-row'
import { useOpenDirect } from '../rooms/sidebar'
import { abilities, useRoomScope } from '../timeline/room-context'
import { MenuItem } from '../timeline/message-menu'
import { Confirm } from '../ui/confirm'
import { Dialog } from '../ui/dialog'
import { Icon } from '../ui/icon'
import { Popover } from '../ui/popover'
import { LEVELS, levelName } from './level'

export function Members() {
  const { t, language } = useText()
  const { room, view } = useRoomScope()
  const { members, next, loading, error, loadMore } = useMembers(room)
  const presence = usePresence(members.map((member) => member.user.id))
  const [inviting, setInviting] = useState(false)
  const able = abilities(view)
  const joined = members.filter((member) => member.state === 'joined').sort((a, b) => b.level - a.level)
  const invited = members.filter((member) => member.state === 'invited')
  return (
    <section className="members" aria-label={t.members}>
      <header>
        <h3 className="section-title">{t.members}</h3>
        {able.invite && (
          <button type="button" className="button small" onClick={() => setInviting(true)}><Icon name="newGroup" size={16} /> {t.invite}</button>
        )}
      </header>
      {error !== undefined && <p className="problem" role="alert">{problemText(error, t, language)}</p>}
      {loading && <p className="muted">{t.loading}</p>}
      <ul aria-label={t.members}>
        {joined.map((member) => <MemberRow key={member.user.id} member={member} online={presence[member.user.id]?.online ?? false} />)}
      </ul>
      {invited.length > 0 && (
        <>
          <h3 className="section-title">{t.invited}</h3>
          <ul aria-label={t.invited}>
            {invited.map((member) => <MemberRow key={member.user.id} member={member} online={false} />)}
          </ul>
        </>
      )}
      {next !== undefined && <button type="button" className="link" onClick={loadMore}>{t.loadMore}</button>}
      {inviting && <Invite members={members} onClose={() => setInviting(false)} />}
    </section>
  )
}

function MemberRow({ member, online }: { member: Member; online: boolean }) {
  const { t } = useText()
  const { room, view, me, actions } = useRoomScope()
  const openDirect = useOpenDirect()
  const [menu, setMenu] = useState<DOMRect>()
  const [removing, setRemoving] = useState(false)
  const able = abilities(view)
  const self = member.user.id === me
  const mayRemove = able.remove && !self && member.level < able.level
  const mayLevel = able.levels && member.state === 'joined' && (self || member.level <= able.level)
  const levels = LEVELS.filter(({ level }) => level <= able.level)
  const close = () => setMenu(undefined)
  return (
    <li className="member">
      <PersonLabel user={member.user} size={36} online={online} />
      <span className="member-level">{self ? `${levelName(member.level, t)} (${t.yourself})` : levelName(member.level, t)}</span>
      {(!self || mayLevel) && (
        <button type="button" className="icon-button" aria-label={t.memberActions(member.user.display_name)} aria-haspopup="menu" onClick={(event) => setMenu(event.currentTarget.getBoundingClientRect())}>
          <Icon name="more" />
        </button>
      )}
      {menu && (
        <Popover anchor={menu} label={t.memberActions(member.user.display_name)} role="menu" className="menu" align="end" onClose={close}>
          {!self && <MenuItem icon="send" text={t.sendMessageTo(member.user.display_name)} onPick={() => { close(); void openDirect(member.user) }} />}
          {mayLevel && (
            <div className="menu-levels" role="group" aria-label={t.changeLevel}>
              <span className="menu-label" aria-hidden="true">{t.changeLevel}</span>
              {levels.map(({ level, name }) => (
                <button
                  key={level}
                  type="button"
                  role="menuitemradio"
                  aria-checked={level === member.level}
                  className="menu-item"
                  onClick={() => {
                    close()
                    if (level !== member.level) room.setLevel(member.user.id, level).catch(actions.fail)
                  }}
                >
                  <span className="menu-check">{level === member.level && <Icon name="check" size={16} />}</span>
                  <span>{t[name]}</span>
                </button>
              ))}
            </div>
          )}
          {mayRemove && <MenuItem icon="leave" text={t.remove} danger onPick={() => { close(); setRemoving(true) }} />}
        </Popover>
      )}
      {removing && (
        <Confirm
          title={t.removeTitle(member.user.display_name)}
          hint={t.removeHint}
          action={t.remove}
          onConfirm={() => room.remove(member.user.id)}
          onClose={() => setRemoving(false)}
        />
      )}
    </li>
  )
}

function Invite({ members, onClose }: { members: Member[]; onClose: () => void }) {
  const { t } = useText()
  const { room, me } = useRoomScope()
  const [chosen, setChosen] = useState<User[]>([])
  const { busy, problem, run } = useAction()
  const there = new Set([me, ...members.map((member) => member.user.id)])
  const invite = async () => {
    const done = await run(async () => {
      for (const user of chosen) {
        await room.invite(user.id)
        setChosen((rest) => rest.filter((other) => other.id !== user.id))
      }
    })
    if (done) onClose()
  }
  return (
    <Dialog title={t.invitePeople} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault()
          void invite()
        }}
      >
        <PeoplePicker label={t.addPeople} chosen={chosen} onChange={setChosen} without={there} autoFocus />
        {problem && <p className="problem" role="alert">{problem}</p>}
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={onClose}>{t.cancel}</button>
          <button type="submit" className="button primary" disabled={busy || chosen.length === 0}>{t.invite}</button>
        </footer>
      </form>
    </Dialog>
  )
}
