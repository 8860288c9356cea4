// Calling on people with @id: what is being typed, who is meant by a finished text, and where they stand in it. Pure.
import type { User } from '@starling/client'
import type { Block, Inline } from './markdown'

/** The server's `mentions_max`. */
export const MENTIONS_MAX = 50
const OFFERED_MAX = 8

/** An id as it stands in a text: not inside a Latin word or an address; Chinese has no spaces to ask for. */
const MENTION = /(?<![a-zA-Z0-9@/._-])@([a-z0-9._=-]{1,64})(?![A-Z])/gu
const TYPING = /(?<![a-zA-Z0-9@/._-])@([\p{L}\p{N}._=-]{0,64})$/u

/** The mention being typed before the caret. `from` is where its @ stands. */
export function typedMention(text: string, caret: number): { from: number; query: string } | undefined {
  const match = TYPING.exec(text.slice(0, caret))
  return match ? { from: match.index, query: match[1] ?? '' } : undefined
}

/** Whom to offer for what was typed: those whose id or name begins so, then those with a later word that does. */
export function offered(people: readonly User[], query: string): User[] {
  const wanted = query.toLocaleLowerCase()
  const rank = ({ id, display_name }: User): number => {
    const name = display_name.toLocaleLowerCase()
    if (id.startsWith(wanted) || name.startsWith(wanted)) return 0
    if (name.split(/\s+/u).some((word) => word.startsWith(wanted))) return 1
    return 2
  }
  return [0, 1].flatMap((wantedRank) => people.filter((user) => rank(user) === wantedRank)).slice(0, OFFERED_MAX)
}

/** The text with a mention in the place of what was typed, and where the caret goes. */
export function insertMention(text: string, from: number, caret: number, id: string): { text: string; caret: number } {
  const rest = text.slice(caret)
  const space = /^\s/u.test(rest) ? '' : ' '
  return { text: `${text.slice(0, from)}@${id}${space}${rest}`, caret: from + id.length + 2 }
}

/** Ids of known people that a text calls on, each once. */
export function mentionedIn(text: string, known: ReadonlySet<string>): string[] {
  const found = new Set<string>()
  for (const { id } of places(text, known)) found.add(id)
  return [...found].slice(0, MENTIONS_MAX)
}

function* places(text: string, known: ReadonlySet<string>): Generator<{ id: string; at: number }> {
  for (const match of text.matchAll(MENTION)) {
    // A full stop or dash at the end belongs to the sentence, unless there is such an id.
    let id = match[1] ?? ''
    while (id !== '' && !known.has(id)) id = /[._=-]$/.test(id) ? id.slice(0, -1) : ''
    if (id !== '') yield { id, at: match.index }
  }
}

/** The tree with the mentions of these people marked. Code and links stay as they are. */
export function markMentions(blocks: Block[], mentions: readonly string[]): Block[] {
  if (mentions.length === 0) return blocks
  const known = new Set(mentions)
  const inline = (node: Inline): Inline[] => {
    switch (node.type) {
      case 'text':
        return split(node.text, known)
      case 'strong':
      case 'emphasis':
      case 'strike':
        return [{ ...node, children: node.children.flatMap(inline) }]
      case 'link':
      case 'code':
      case 'break':
      case 'mention':
        return [node]
    }
  }
  return blocks.map((block): Block => {
    switch (block.type) {
      case 'paragraph':
        return { ...block, children: block.children.flatMap(inline) }
      case 'quote':
        return { ...block, children: markMentions(block.children, mentions) }
      case 'list':
        return { ...block, items: block.items.map((item) => item.flatMap(inline)) }
      case 'code':
        return block
    }
  })
}

function split(text: string, known: ReadonlySet<string>): Inline[] {
  const nodes: Inline[] = []
  let from = 0
  for (const { id, at } of places(text, known)) {
    if (at > from) nodes.push({ type: 'text', text: text.slice(from, at) })
    nodes.push({ type: 'mention', id, text: `@${id}` })
    from = at + id.length + 1
  }
  if (from < text.length) nodes.push({ type: 'text', text: text.slice(from) })
  return nodes
}
