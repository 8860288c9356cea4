// Starting a group: its name, who may join, whom to invite.
import { useState } from 'react'
import type { JoinRule, User } from '@starling/client'
import { useText } from '../i18n/text'
import { useClient, useMe } from '../hooks/use-client'
import { useAction } from '../hooks/use-problem'
import { go } from '../hooks/use-route'
import { Dialog } from '../ui/dialog'
import { PeoplePicker } from './people-picker'

export const ROOM_NAME_MAX = 128

export function NewGroup({ onClose }: { onClose: () => void }) {
  const { t } = useText()
  const client = useClient()
  const me = useMe()
  const [name, setName] = useState('')
  const [rule, setRule] = useState<JoinRule>('invite')
  const [people, setPeople] = useState<User[]>([])
  const { busy, problem, run } = useAction()
  const create = () =>
    run(async () => {
      const room = await client.rooms.create({ name: name.trim(), joinRule: rule, invite: people.map((user) => user.id) })
      onClose()
      go({ page: 'room', room: room.id })
    })
  return (
    <Dialog title={t.newGroup} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault()
          void create()
        }}
      >
        <label className="field">
          <span className="field-label">{t.groupName}</span>
          <input value={name} maxLength={ROOM_NAME_MAX} required data-autofocus onChange={(event) => setName(event.target.value)} />
        </label>
        <PeoplePicker label={t.addPeople} chosen={people} onChange={setPeople} without={new Set(me ? [me.id] : [])} />
        <JoinRuleChoice value={rule} onChange={setRule} />
        {problem && <p className="problem" role="alert">{problem}</p>}
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={onClose}>{t.cancel}</button>
          <button type="submit" className="button primary" disabled={busy || name.trim() === ''}>{t.createGroup}</button>
        </footer>
      </form>
    </Dialog>
  )
}

export function JoinRuleChoice({ value, onChange }: { value: JoinRule; onChange: (rule: JoinRule) => void }) {
  const { t } = useText()
  const rules = [
    { rule: 'invite', title: t.joinInvite, hint: t.joinInviteHint },
    { rule: 'open', title: t.joinOpen, hint: t.joinOpenHint },
  ] as const
  return (
    <fieldset className="choice">
      <legend className="field-label">{t.whoMayJoin}</legend>
      <div className="choice-options">
        {rules.map(({ rule, title, hint }) => (
          <label key={rule} className="choice-option">
            <input type="radio" name="join-rule" checked={value === rule} onChange={() => onChange(rule)} />
            <span>
              <strong>{title}</strong>
              <span className="muted">{hint}</span>
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}
