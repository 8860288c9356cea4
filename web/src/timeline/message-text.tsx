// Shows the text of a message: the Markdown tree as React elements.
import { Fragment, useMemo, type ReactNode } from 'react'
import type { Content } from '@starling/client'
import { useUser } from '../hooks/use-client'
import { markMentions } from './mentions'
import { parseMarkdown, parsePlain, plainText, type Block, type Inline } from './markdown'

export function contentBlocks(content: Content): Block[] {
  const blocks = content.format === 'markdown' ? parseMarkdown(content.text) : parsePlain(content.text)
  return markMentions(blocks, content.mentions ?? [])
}

/** Previews are drawn far more often than contents change. */
const lines = new WeakMap<Content, string>()

/** One line of it, for previews. */
export function contentLine(content: Content | undefined): string {
  if (!content) return ''
  let line = lines.get(content)
  if (line === undefined) lines.set(content, (line = plainText(contentBlocks(content)).replace(/\s+/gu, ' ').trim()))
  return line
}

const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier}|\u200D\p{Extended_Pictographic})*|\p{Regional_Indicator}{2}|\s){1,6}$/u

/** A message of nothing but a few emoji is shown large. */
export function isEmojiOnly(text: string): boolean {
  return text.trim() !== '' && EMOJI_ONLY.test(text)
}

interface MessageTextProps {
  content: Content
  /** Put at the end of the last line: room for the time. */
  trailer?: ReactNode
}

export function MessageText({ content, trailer }: MessageTextProps) {
  const blocks = useMemo(() => contentBlocks(content), [content])
  const last = blocks[blocks.length - 1]
  const inLine = last?.type === 'paragraph'
  const large = isEmojiOnly(content.text)
  return (
    <div className={large ? 'message-text large' : 'message-text'} dir="auto">
      {blocks.map((block, i) => (
        <BlockView key={i} block={block} trailer={inLine && block === last ? trailer : undefined} />
      ))}
      {!inLine && <p>{trailer}</p>}
    </div>
  )
}

function BlockView({ block, trailer }: { block: Block; trailer?: ReactNode }) {
  switch (block.type) {
    case 'paragraph':
      return (
        <p>
          <Inlines nodes={block.children} />
          {trailer}
        </p>
      )
    case 'code':
      return (
        <pre tabIndex={0}>
          <code>{block.text}</code>
        </pre>
      )
    case 'quote':
      return (
        <blockquote>
          {block.children.map((child, i) => (
            <BlockView key={i} block={child} />
          ))}
        </blockquote>
      )
    case 'list': {
      const items = block.items.map((item, i) => (
        <li key={i}>
          <Inlines nodes={item} />
        </li>
      ))
      return block.ordered ? <ol start={block.start}>{items}</ol> : <ul>{items}</ul>
    }
  }
}

function Inlines({ nodes }: { nodes: Inline[] }): ReactNode {
  return nodes.map((node, i) => <Fragment key={i}>{inlineView(node)}</Fragment>)
}

function inlineView(node: Inline): ReactNode {
  switch (node.type) {
    case 'text':
      return node.text
    case 'break':
      return <br />
    case 'code':
      return <code>{node.text}</code>
    case 'strong':
      return <strong><Inlines nodes={node.children} /></strong>
    case 'emphasis':
      return <em><Inlines nodes={node.children} /></em>
    case 'strike':
      return <s><Inlines nodes={node.children} /></s>
    case 'mention':
      return <Mention id={node.id} text={node.text} />
    case 'link':
      return (
        <a href={node.href} target="_blank" rel="noopener noreferrer nofollow">
          <Inlines nodes={node.children} />
        </a>
      )
  }
}

function Mention({ id, text }: { id: string; text: string }) {
  const { display_name } = useUser(id)
  return <span className="mention" title={display_name}>{text}</span>
}
