// What happened besides messages, as a sentence: joined, left, invited, renamed.
import type { TimelineItem } from '@starling/client'
import { levelName } from '../room/level'
import { useText } from '../i18n/text'
import { useUser } from '../hooks/use-client'
import { useMessageScope } from './room-context'

export function Notice({ item }: { item: TimelineItem }) {
  const { t, time } = useText()
  const { me } = useMessageScope()
  const event = item.event
  const subject = useUser(item.sender)
  const target = useUser(event?.type === 'member.updated' ? event.user : item.sender)
  const mine = item.sender === me
  const who = mine ? t.youSubject : subject.display_name
  const whom = target.id === me ? t.youObject : target.display_name
  let sentence = ''
  if (event?.type === 'room.created') sentence = mine ? t.noticeCreatedByYou : t.noticeCreated(who)
  else if (event?.type === 'room.updated') {
    const { name, topic } = event.settings
    if (name !== undefined && name !== null) sentence = name ? t.noticeRenamed(who, name) : t.noticeUnnamed(who)
    else if (topic !== undefined && topic !== null) sentence = topic ? t.noticeTopic(who, topic) : t.noticeTopicRemoved(who)
    else sentence = t.noticeSettings(who)
  } else if (event?.type === 'member.updated') {
    const self = event.user === event.sender
    if (event.state === 'invited') sentence = t.noticeInvited(who, whom)
    else if (event.state === 'left') sentence = !self ? t.noticeRemoved(who, whom) : mine ? t.noticeLeftYou : t.noticeLeft(who)
    else if (!self) sentence = t.noticeLevel(who, whom, levelName(event.level, t))
    else sentence = mine ? t.noticeJoinedYou : t.noticeJoined(who)
  }
  if (!sentence) return null
  return (
    <p className="notice" title={time.full(item.at)}>
      {sentence}
    </p>
  )
}
