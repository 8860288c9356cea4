// How far an own message has got, as an icon with words for the screen reader.
import type { MessageStatus } from '@starling/client'
import type { Dictionary } from '../i18n/en'
import { useText } from '../i18n/text'
import { Icon, type IconName } from '../ui/icon'

const shown: Record<MessageStatus, { icon: IconName; text: keyof Dictionary }> = {
  queued: { icon: 'clock', text: 'statusQueued' },
  sending: { icon: 'clock', text: 'statusSending' },
  sent: { icon: 'check', text: 'statusSent' },
  delivered: { icon: 'checks', text: 'statusDelivered' },
  read: { icon: 'checks', text: 'statusRead' },
  failed: { icon: 'alert', text: 'statusFailed' },
}

export function StatusIcon({ status }: { status: MessageStatus }) {
  const { t } = useText()
  const { icon, text } = shown[status]
  const label = t[text] as string
  return (
    <span className={`status status-${status}`} role="img" aria-label={label} title={label}>
      <Icon name={icon} size={15} />
    </span>
  )
}
