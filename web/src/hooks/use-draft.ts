// What was written but not sent, per room, kept over reloads.
const PREFIX = 'starling.draft.'

export interface Draft {
  text: string
  replyTo?: number
}

export function readDraft(user: string, room: string): Draft {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(`${PREFIX}${user}/${room}`) ?? 'null')
    if (value && typeof value === 'object' && 'text' in value && typeof value.text === 'string') {
      const replyTo = 'replyTo' in value && typeof value.replyTo === 'number' ? value.replyTo : undefined
      return { text: value.text, replyTo }
    }
  } catch {
    // A draft that can't be read is no draft.
  }
  return { text: '' }
}

export function writeDraft(user: string, room: string, draft: Draft): void {
  const key = `${PREFIX}${user}/${room}`
  try {
    if (draft.text === '' && draft.replyTo === undefined) localStorage.removeItem(key)
    else localStorage.setItem(key, JSON.stringify(draft))
  } catch {
    // A full storage loses drafts, nothing else.
  }
}

export function clearDrafts(): void {
  for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key)
}
