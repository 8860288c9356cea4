// The Markdown subset of messages as a tree: paragraphs, quotes, lists, code; bold, italic, struck, code, links.
// It yields data, never HTML, so nothing a sender writes can become markup. Unclosed marks stay as they were typed.

export type Inline =
  | { type: 'text'; text: string }
  | { type: 'break' }
  | { type: 'code'; text: string }
  | { type: 'strong' | 'emphasis' | 'strike'; children: Inline[] }
  | { type: 'link'; href: string; children: Inline[] }
  /** Made by `markMentions`, not by the parser. */
  | { type: 'mention'; id: string; text: string }

export type Block =
  | { type: 'paragraph'; children: Inline[] }
  | { type: 'code'; language: string; text: string }
  | { type: 'quote'; children: Block[] }
  | { type: 'list'; ordered: boolean; start: number; items: Inline[][] }

/** Deeper nesting is shown as plain text. */
const DEPTH_MAX = 8

const SCHEMES = new Set(['http:', 'https:', 'mailto:'])

/** The address if it is one that may be opened from a message. */
export function safeHref(address: string): string | undefined {
  try {
    const url = new URL(address)
    return SCHEMES.has(url.protocol) ? url.href : undefined
  } catch {
    return undefined
  }
}

const FENCE = /^ {0,3}```\s*([\w+#.-]*)\s*$/
const FENCE_END = /^ {0,3}```\s*$/
const QUOTE = /^ {0,3}> ?(.*)$/
const BULLET = /^ {0,3}[-*+•] +(\S.*)$/
const NUMBER = /^ {0,3}(\d{1,9})[.)] +(\S.*)$/

export function parseMarkdown(source: string): Block[] {
  return parseBlocks(source.replace(/\r\n?/g, '\n').split('\n'), 0)
}

function parseBlocks(lines: string[], depth: number): Block[] {
  const blocks: Block[] = []
  // After it no fence closes: asked once, not at each that opens.
  const lastFenceEnd = lines.findLastIndex((line) => FENCE_END.test(line))
  let at = 0
  while (at < lines.length) {
    const line = lines[at] ?? ''
    if (line.trim() === '') {
      at += 1
      continue
    }
    const fence = FENCE.exec(line)
    if (fence && at < lastFenceEnd) {
      let end = at + 1
      while (end < lastFenceEnd && !FENCE_END.test(lines[end] ?? '')) end += 1
      blocks.push({ type: 'code', language: fence[1] ?? '', text: lines.slice(at + 1, end).join('\n') })
      at = end + 1
      continue
    }
    if (depth < DEPTH_MAX && QUOTE.test(line)) {
      const [quoted, next] = takeWhile(lines, at, QUOTE, 1)
      blocks.push({ type: 'quote', children: parseBlocks(quoted, depth + 1) })
      at = next
      continue
    }
    if (BULLET.test(line)) {
      const [items, next] = takeWhile(lines, at, BULLET, 1)
      blocks.push({ type: 'list', ordered: false, start: 1, items: items.map((item) => parseInline(item)) })
      at = next
      continue
    }
    const number = NUMBER.exec(line)
    if (number) {
      const [items, next] = takeWhile(lines, at, NUMBER, 2)
      blocks.push({ type: 'list', ordered: true, start: Number(number[1]), items: items.map((item) => parseInline(item)) })
      at = next
      continue
    }
    const from = at
    at += 1
    while (at < lines.length && !startsBlock(lines, at, depth, lastFenceEnd)) at += 1
    blocks.push({ type: 'paragraph', children: parseInline(lines.slice(from, at).join('\n')) })
  }
  return blocks
}

function takeWhile(lines: string[], from: number, pattern: RegExp, group: number): [string[], number] {
  const taken: string[] = []
  let at = from
  for (let match = pattern.exec(lines[at] ?? ''); match && at < lines.length; match = pattern.exec(lines[at] ?? '')) {
    taken.push(match[group] ?? '')
    at += 1
  }
  return [taken, at]
}

function startsBlock(lines: string[], at: number, depth: number, lastFenceEnd: number): boolean {
  const line = lines[at] ?? ''
  if (line.trim() === '' || BULLET.test(line) || NUMBER.test(line)) return true
  if (depth < DEPTH_MAX && QUOTE.test(line)) return true
  return at < lastFenceEnd && FENCE.test(line)
}

const MARKS = [
  { mark: '**', type: 'strong' },
  { mark: '__', type: 'strong' },
  { mark: '~~', type: 'strike' },
  { mark: '*', type: 'emphasis' },
  { mark: '_', type: 'emphasis' },
] as const

const ESCAPABLE = /[\\`*_~[\]()#+\-.!>]/
const AUTOLINK = /(?:https?:\/\/|mailto:)[^\s<>"'`]+/y
const LINK = /\[([^[\]\n]{1,400})\]\(\s*([^\s()<>]{1,2000}(?:\([^\s()<>]*\)[^\s()<>]*)?)\s*\)/y
const TICKS = /`+/g
const WORD = /[\p{L}\p{N}]/u

/** Inline marks of one paragraph; a line end is a break, as people expect in a chat. */
export function parseInline(source: string, depth = 0): Inline[] {
  const out: Inline[] = []
  let text = ''
  const flush = () => {
    if (text) out.push({ type: 'text', text })
    text = ''
  }
  const push = (node: Inline) => {
    flush()
    out.push(node)
  }
  // A mark that nothing closes from here on won't be closed for a later opening either: asked once, not at each.
  const unclosed = new Set<string>()
  let at = 0
  scan: while (at < source.length) {
    const char = source.charAt(at)
    if (char === '\n') {
      push({ type: 'break' })
      at += 1
      continue
    }
    if (char === '\\' && ESCAPABLE.test(source.charAt(at + 1))) {
      text += source.charAt(at + 1)
      at += 2
      continue
    }
    if (char === '`') {
      TICKS.lastIndex = at
      const ticks = TICKS.exec(source)?.[0] ?? '`'
      const end = closingTicks(source, at + ticks.length, ticks.length)
      if (end >= 0) {
        push({ type: 'code', text: source.slice(at + ticks.length, end).replace(/^ (.+) $/, '$1') })
        at = end + ticks.length
      } else {
        text += ticks
        at += ticks.length
      }
      continue
    }
    if (char === '[' && depth < DEPTH_MAX) {
      LINK.lastIndex = at
      const link = LINK.exec(source)
      const href = link?.[2] === undefined ? undefined : safeHref(link[2])
      if (link && href) {
        push({ type: 'link', href, children: parseInline(link[1] ?? '', DEPTH_MAX) })
        at = LINK.lastIndex
        continue
      }
    }
    if ((char === 'h' || char === 'm') && !WORD.test(source.charAt(at - 1))) {
      AUTOLINK.lastIndex = at
      const match = AUTOLINK.exec(source)
      const address = match && trimAddress(match[0])
      const href = address ? safeHref(address) : undefined
      if (address && href) {
        push({ type: 'link', href, children: [{ type: 'text', text: address.replace(/^mailto:/, '') }] })
        at += address.length
        continue
      }
      // No address is text as a whole, so that those inside aren't tried one by one.
      if (address) {
        text += address
        at += address.length
        continue
      }
    }
    if (depth < DEPTH_MAX && (char === '*' || char === '_' || char === '~')) {
      for (const { mark, type } of MARKS) {
        if (!source.startsWith(mark, at)) continue
        if (unclosed.has(mark) || !opens(source, at, mark)) continue
        const end = closingMark(source, at, mark)
        if (end < 0) {
          unclosed.add(mark)
          continue
        }
        push({ type, children: parseInline(source.slice(at + mark.length, end), depth + 1) })
        at = end + mark.length
        continue scan
      }
      // A run of marks that closes nothing is text as a whole, so that it isn't tried again sign by sign.
      let run = at
      while (source.charAt(run) === char) run += 1
      text += source.slice(at, run)
      at = run
      continue
    }
    text += char
    at += 1
  }
  flush()
  return out
}

function closingTicks(source: string, from: number, length: number): number {
  TICKS.lastIndex = from
  for (let match = TICKS.exec(source); match; match = TICKS.exec(source)) if (match[0].length === length) return match.index
  return -1
}

/** A mark opens before a non-space; `_` not inside a word. */
function opens(source: string, at: number, mark: string): boolean {
  if (/^\s?$/.test(source.charAt(at + mark.length))) return false
  return !(mark.startsWith('_') && WORD.test(source.charAt(at - 1)))
}

/** Where the mark that opens at `from` closes, or -1: after a non-space; `_` not inside a word. */
function closingMark(source: string, from: number, mark: string): number {
  const inside = from + mark.length
  for (let end = source.indexOf(mark, inside + 1); end >= 0; end = source.indexOf(mark, end + 1)) {
    const before = source.charAt(end - 1)
    const after = source.charAt(end + mark.length)
    if (/\s/.test(before) || before === '\\') continue
    if (mark.length === 1 && (after === mark || before === mark)) continue
    if (mark.startsWith('_') && WORD.test(after)) continue
    // `**bold*` + `*`: the outer mark closes at the end of the run.
    return mark.length === 2 && after === mark.charAt(0) ? end + 1 : end
  }
  return -1
}

/** Punctuation at the end of a bare address belongs to the sentence, a closing bracket only if it opened inside. */
function trimAddress(address: string): string {
  let end = address.length
  const wide = address.search(/[，。；：！？、（）《》「」『』【】]/u)
  if (wide >= 0) end = wide
  /** Brackets that close more than opened, up to `end`. */
  let unopened = 0
  for (let at = 0; at < end; at += 1) {
    const char = address.charAt(at)
    if (char === ')') unopened += 1
    else if (char === '(') unopened -= 1
  }
  for (; end > 0; end -= 1) {
    const last = address.charAt(end - 1)
    if (last === ')' && unopened > 0) unopened -= 1
    else if (!/[.,;:!?*_~\]}]/.test(last)) break
  }
  return address.slice(0, end)
}

/** Text whose only structure is lines and bare addresses, as for messages in plain format. */
export function parsePlain(source: string): Block[] {
  const children: Inline[] = []
  source.replace(/\r\n?/g, '\n').split('\n').forEach((line, i) => {
    if (i > 0) children.push({ type: 'break' })
    let from = 0
    for (const match of line.matchAll(/(?<![\p{L}\p{N}])(?:https?:\/\/|mailto:)[^\s<>"'`]+/gu)) {
      const address = trimAddress(match[0])
      const href = safeHref(address)
      if (!href) continue
      if (match.index > from) children.push({ type: 'text', text: line.slice(from, match.index) })
      children.push({ type: 'link', href, children: [{ type: 'text', text: address }] })
      from = match.index + address.length
    }
    if (from < line.length) children.push({ type: 'text', text: line.slice(from) })
  })
  return [{ type: 'paragraph', children }]
}

/** Whether reading the text as Markdown shows anything else than reading it as it is. */
export function usesMarkdown(source: string): boolean {
  const blocks = parseMarkdown(source)
  if (blocks.some((block) => block.type !== 'paragraph')) return true
  if (/\\[\\`*_~[\]()#+\-.!>]/.test(source)) return true
  const styled = (inline: Inline): boolean =>
    inline.type === 'code' || inline.type === 'strong' || inline.type === 'emphasis' || inline.type === 'strike' ||
    (inline.type === 'link' && !source.includes(plainText([{ type: 'paragraph', children: [inline] }]))) ||
    (inline.type === 'link' && /\]\(/.test(source))
  return blocks.some((block) => block.type === 'paragraph' && block.children.some(styled))
}

/** The words without the marks, for previews and for the screen reader's announcement. */
export function plainText(blocks: Block[]): string {
  const inline = (nodes: Inline[]): string =>
    nodes.map((node) => (node.type === 'break' ? ' ' : 'children' in node ? inline(node.children) : node.text)).join('')
  return blocks
    .map((block) => {
      switch (block.type) {
        case 'paragraph':
          return inline(block.children)
        case 'code':
          return block.text
        case 'quote':
          return plainText(block.children)
        case 'list':
          return block.items.map(inline).join(' ')
      }
    })
    .join(' ')
}
