// What a room is called: its name or the other person's; groups without a name, and those one was removed from, are "Group".
import type { RoomView } from '@starling/client'
import type { Dictionary } from '../i18n/en'

export function roomTitle(view: RoomView, t: Dictionary): string {
  return view.kind === 'group' && !view.settings.name ? t.unnamedGroup : view.title
}
