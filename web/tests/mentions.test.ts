import type { RoomView, User } from '@starling/client'
import { expect, test } from 'vitest'
import { en } from '../src/i18n/en'
import { zh } from '../src/i18n/zh'
import { roomTitle } from '../src/rooms/title'
import { parseMarkdown, plainText, type Block, type Inline } from '../src/timeline/markdown'
import { insertMention, markMentions, mentionedIn, offered, typedMention } from '../src/timeline/mentions'

test('a mention is being typed from its @ to the caret, not inside a word or address', () => {
  /** `|` is the caret. */
  const check = (text: string, query: string | undefined) => expect(typedMention(text.replace('|', ''), text.indexOf('|'))?.query, text).toBe(query)
  check('@|', '')
  check('hi @bo| there', 'bo')
  check('hi @bo|b there', 'bo')
  check('（@李|', '李')
  check('你好@bo|', 'bo')
  check('ada@example|', undefined)
  check('https://example.org/@bo|', undefined)
  check('@bob |', undefined)
  check('no at|', undefined)
  check('@|bob', '')
  check('@@|', undefined)
})

test('offers whose id or name begins so first', () => {
  const people: User[] = [['bob', 'Robert Ada'], ['ada', 'Ada L.'], ['mei', '李梅'], ['adam', 'Zoe']].map(([id, name]) => ({ id: id!, display_name: name!, kind: 'person' }))
  const check = (query: string, ids: string[]) => expect(offered(people, query).map(({ id }) => id)).toEqual(ids)
  check('', ['bob', 'ada', 'mei', 'adam'])
  check('ad', ['ada', 'adam', 'bob'])
  check('AD', ['ada', 'adam', 'bob'])
  check('李', ['mei'])
  check('x', [])
})

test('what was typed is replaced, with a space after', () => {
  expect(insertMention('hi @bo there', 3, 6, 'bob')).toEqual({ text: 'hi @bob there', caret: 8 })
  expect(insertMention('@', 0, 1, 'bob')).toEqual({ text: '@bob ', caret: 5 })
})

test('a text calls on known people, without the punctuation after', () => {
  const known = new Set(['bob', 'a.b', 'eve_1'])
  const check = (text: string, ids: string[]) => expect(mentionedIn(text, known), text).toEqual(ids)
  check('@bob, @a.b. and @eve_1!', ['bob', 'a.b', 'eve_1'])
  check('@bob @bob', ['bob'])
  check('你好@bob，再见', ['bob'])
  check('@bobby x@bob https://h/@bob @nobody @', [])
  check(Array.from({ length: 60 }, () => '@bob').join(' '), ['bob'])
})

test('mentions are marked in the tree, but not in code and links, and read as typed', () => {
  const check = (source: string, mentions: string[], expected: string) => {
    const inline = (nodes: Inline[]): string =>
      nodes.map((node) => (node.type === 'mention' ? `<${node.id}>` : node.type === 'break' ? '/' : 'children' in node ? `[${inline(node.children)}]` : node.text)).join('')
    const shown = (blocks: Block[]): string =>
      blocks.map((block) => (block.type === 'paragraph' ? inline(block.children) : block.type === 'list' ? block.items.map(inline).join('|') : block.type === 'quote' ? `>${shown(block.children)}` : block.text)).join(' ')
    const marked = markMentions(parseMarkdown(source), mentions)
    expect(shown(marked), source).toBe(expected)
    expect(plainText(marked)).toBe(plainText(parseMarkdown(source)))
  }
  check('hi @bob!', ['bob'], 'hi <bob>!')
  check('hi @bob!', [], 'hi @bob!')
  check('**@bob** and `@bob`', ['bob'], '[<bob>] and @bob')
  check('[@bob](https://example.org)', ['bob'], '[@bob]')
  check('> @bob', ['bob'], '><bob>')
  check('- @a\n- @b_c_d', ['a', 'b_c_d'], '<a>|<b_c_d>')
  check('@bobby', ['bob'], '@bobby')
})

test('a group without a name is called by who is in it, as the language lists names', () => {
  const view = (names: string[] | undefined, members: number) =>
    ({ id: 'x1', kind: 'group', title: 'x1', settings: {}, me: { state: 'joined', level: 10 }, members, ...(names ? { names } : {}) }) as unknown as RoomView
  const check = (names: string[] | undefined, members: number, english: string, chinese: string) => {
    expect(roomTitle(view(names, members), en)).toBe(english)
    expect(roomTitle(view(names, members), zh)).toBe(chinese)
  }
  check(['Bob'], 2, 'Bob', 'Bob')
  check(['Bob', '李梅', 'Cyd'], 4, 'Bob, 李梅, Cyd', 'Bob、李梅、Cyd')
  check(['Bob', '李梅', 'Cyd'], 9, 'Bob, 李梅, Cyd and 5 more', 'Bob、李梅、Cyd和另外 5 人')
  // Two are only invited.
  check(['Bob', 'Cyd'], 1, 'Bob, Cyd', 'Bob、Cyd')
  check(undefined, 3, 'Group', '群聊')
})
