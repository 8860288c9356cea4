// What a room is called: its name, the other person's, or the names of who is in it; as long as those are not known, "Group".
import type { RoomView } from '@starling/client'
import type { Dictionary } from '../i18n/en'

export function roomTitle(view: RoomView, t: Dictionary): string {
  if (view.kind === 'direct' || view.settings.name) return view.title
  if (!view.names) return t.unnamedGroup
  const names = t.names(...view.names)
  // Oneself and those named are not "more"; who is only invited is not counted.
  const more = view.members - 1 - view.names.length
  return view.me?.state === 'joined' && more > 0 ? t.andMore(names, more) : names
}
