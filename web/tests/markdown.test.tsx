import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, test } from 'vitest'
import { parseMarkdown, parsePlain, plainText, safeHref, usesMarkdown } from '../src/timeline/markdown'
import { contentLine, isEmojiOnly, MessageText } from '../src/timeline/message-text'

/** Source → the HTML that React writes for it. */
function check(source: string, html: string, format: 'markdown' | 'plain' = 'markdown') {
  const shown = renderToStaticMarkup(<MessageText content={{ type: 'text', text: source, format }} />)
  const inside = shown.replace(/^<div class="message-text(?: large)?" dir="auto">/, '').replace(/<\/div>$/, '').replace(/<p><\/p>$/, '')
  expect(inside).toBe(html)
}

const link = (href: string, text = href) => `<a href="${href}" target="_blank" rel="noopener noreferrer nofollow">${text}</a>`

describe('inline marks', () => {
  test.each([
    ['plain', '<p>plain</p>'],
    ['**bold** and *italic* and ~~gone~~', '<p><strong>bold</strong> and <em>italic</em> and <s>gone</s></p>'],
    ['__bold__ _italic_', '<p><strong>bold</strong> <em>italic</em></p>'],
    ['***both***', '<p><strong><em>both</em></strong></p>'],
    ['**a *b* c**', '<p><strong>a <em>b</em> c</strong></p>'],
    ['2 * 3 * 4', '<p>2 * 3 * 4</p>'],
    ['snake_case_name', '<p>snake_case_name</p>'],
    ['**open', '<p>**open</p>'],
    ['\\*not\\*', '<p>*not*</p>'],
    ['`a **b** <c>`', '<p><code>a **b** &lt;c&gt;</code></p>'],
    ['``a`b``', '<p><code>a`b</code></p>'],
    ['`open', '<p>`open</p>'],
    ['one\ntwo', '<p>one<br/>two</p>'],
    ['one\n\ntwo', '<p>one</p><p>two</p>'],
    ['你好，**世界**！', '<p>你好，<strong>世界</strong>！</p>'],
  ])('%s', (source, html) => check(source, html))
})

describe('blocks', () => {
  test.each([
    ['```js\nlet a = "**x**"\n```', '<pre tabindex="0"><code>let a = &quot;**x**&quot;</code></pre>'],
    ['```\nnever closed', '<p>```<br/>never closed</p>'],
    ['> said\n> twice\nanswer', '<blockquote><p>said<br/>twice</p></blockquote><p>answer</p>'],
    ['- a\n- **b**', '<ul><li>a</li><li><strong>b</strong></li></ul>'],
    ['3. c\n4. d', '<ol start="3"><li>c</li><li>d</li></ol>'],
    ['-5 degrees', '<p>-5 degrees</p>'],
    ['# no heading', '<p># no heading</p>'],
  ])('%s', (source, html) => check(source, html))
})

describe('links', () => {
  test.each([
    ['see https://example.org/a_b_c?d=1, ok', `<p>see ${link('https://example.org/a_b_c?d=1')}, ok</p>`],
    ['(https://example.org/a_(b))', `<p>(${link('https://example.org/a_(b)')})</p>`],
    ['看 https://example.org/。好', `<p>看 ${link('https://example.org/')}。好</p>`],
    ['[the **page**](https://example.org/)', `<p>${link('https://example.org/', 'the **page**')}</p>`],
    ['nothttps://example.org', '<p>nothttps://example.org</p>'],
  ])('%s', (source, html) => check(source, html))

  test('plain format links addresses and nothing else', () => {
    check('**a** https://example.org/x_y_', `<p>**a** ${link('https://example.org/x_y', 'https://example.org/x_y')}_</p>`, 'plain')
  })
})

describe('nothing a sender writes becomes markup', () => {
  test.each([
    ['<script>alert(1)</script>', '<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>'],
    ['<img src=x onerror=alert(1)>', '<p>&lt;img src=x onerror=alert(1)&gt;</p>'],
    ['[x](javascript:alert(1))', '<p>[x](javascript:alert(1))</p>'],
    ['[x](JaVaScRiPt:alert)', '<p>[x](JaVaScRiPt:alert)</p>'],
    ['[x](java\tscript:alert)', '<p>[x](java\tscript:alert)</p>'],
    ['[x](data:text/html;base64,PHNjcmlwdD4=)', '<p>[x](data:text/html;base64,PHNjcmlwdD4=)</p>'],
    ['[x](vbscript:x)', '<p>[x](vbscript:x)</p>'],
    ['[x](//evil.example)', '<p>[x](//evil.example)</p>'],
    ['[x](/relative)', '<p>[x](/relative)</p>'],
    ['https://example.org/"onmouseover="alert(1)', `<p>${link('https://example.org/')}&quot;onmouseover=&quot;alert(1)</p>`],
    ['`</code><script>`', '<p><code>&lt;/code&gt;&lt;script&gt;</code></p>'],
    ['```"><script>\nx\n```', '<p><code>&quot;&gt;&lt;script&gt;\nx\n</code></p>'],
  ])('%s', (source, html) => check(source, html))

  test('only http, https and mailto may be opened', () => {
    expect(safeHref('https://a.example/')).toBe('https://a.example/')
    expect(safeHref('mailto:a@b.example')).toBe('mailto:a@b.example')
    for (const address of ['javascript:1', ' javascript:1', 'blob:https://a/1', 'file:///etc/passwd', 'ws://a', '', 'x']) {
      expect(safeHref(address), address).toBeUndefined()
    }
  })
})

describe('limits', () => {
  test.each([['>'.repeat(5000)], ['*'.repeat(16_000)], ['_a'.repeat(8000)], ['['.repeat(16_000)], ['`'.repeat(7999) + 'x' + '`'.repeat(8000)], ['**a '.repeat(4000)], ['> '.repeat(3000) + 'x'], ['https://a'.repeat(1700)]])(
    'a hostile text of %# is read in time',
    (source) => {
      const started = performance.now()
      parseMarkdown(source)
      parsePlain(source)
      expect(performance.now() - started).toBeLessThan(1000)
    },
  )
})

test('previews are the words without the marks', () => {
  const cases: [string, string][] = [
    ['**a** `b` [c](https://d.example)', 'a b c'],
    ['> q\nr', 'q r'],
    ['- a\n- b', 'a b'],
    ['a\nb', 'a b'],
  ]
  for (const [source, words] of cases) expect(plainText(parseMarkdown(source))).toBe(words)
})

test('only texts with marks are sent as Markdown', () => {
  for (const text of ['hi', 'hi\nthere', '2 * 3', 'see https://example.org/a_b', 'a_b_c', '好的']) expect(usesMarkdown(text), text).toBe(false)
  for (const text of ['**hi**', '`x`', '- a', '> q', '[a](https://b.example)', '\\*a\\*', '```\nx\n```']) expect(usesMarkdown(text), text).toBe(true)
})

test('a few emoji alone are shown large', () => {
  for (const text of ['👍', '❤️', '🎉🎉', '👨‍👩‍👧', '🇩🇪', '👋🏽 🐦']) expect(isEmojiOnly(text), text).toBe(true)
  for (const text of ['', ' ', '1', '👍 ok', '#', '🎉🎉🎉🎉🎉🎉🎉']) expect(isEmojiOnly(text), text).toBe(false)
})

/** How many characters regular expressions and strings are made to look at, besides those looked at one by one. */
function work(run: () => void): number {
  let characters = 0
  const test = RegExp.prototype.test
  const { split, slice } = String.prototype
  RegExp.prototype.test = function (text: string) {
    characters += text.length
    return test.call(this, text)
  }
  String.prototype.split = function (this: string, ...options: unknown[]) {
    characters += this.length
    return (split as (...options: unknown[]) => string[]).apply(this, options)
  } as typeof split
  String.prototype.slice = function (...options: [number?, number?]) {
    const part = slice.apply(this, options)
    characters += part.length
    return part
  }
  try {
    run()
  } finally {
    RegExp.prototype.test = test
    Object.assign(String.prototype, { split, slice })
  }
  return characters
}

describe('work grows with the length of a hostile text, not with its square', () => {
  test.each([
    ['brackets after an address', 'https://a.example/' + ')'.repeat(16_000)],
    ['punctuation after an address', 'https://a.example/' + '.)'.repeat(8_000)],
    ['fences that nothing closes', '```js\n'.repeat(4_000)],
    ['fences in a paragraph', 'a\n```js\n'.repeat(4_000)],
    ['addresses that are none', 'http://[/'.repeat(2_000)],
  ])('%s', (_, source) => {
    const done = work(() => {
      parseMarkdown(source)
      parsePlain(source)
    })
    expect(done).toBeLessThan(20 * source.length)
  })

  test('and a preview is read once', () => {
    const content = { type: 'text', text: '**word** '.repeat(100), format: 'markdown' } as const
    const first = contentLine(content)
    expect(work(() => expect(contentLine(content)).toBe(first))).toBeLessThan(first.length)
  })
})
