// A person in a list: face, name, id.
import type { User } from '@starling/client'
import { Avatar } from '../ui/avatar'

export function PersonLabel({ user, size = 40, online }: { user: User; size?: number; online?: boolean }) {
  return (
    <>
      <Avatar id={user.id} name={user.display_name} size={size} online={online} />
      <span className="person-text">
        <span className="person-name">{user.display_name}</span>
        <span className="person-id">@{user.id}</span>
      </span>
    </>
  )
}
