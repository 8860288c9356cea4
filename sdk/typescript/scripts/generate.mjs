// Makes src/wire.ts and src/codes.ts from the schema that the server's own types give. With --check it writes nothing
// and fails when the committed files are stale.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const out = name => fileURLToPath(new URL(`../src/${name}`, import.meta.url))
const head = '// Generated from crates/wire by `npm run generate`; do not edit.\n'

const printed = execFileSync('cargo', ['run', '-q', '-p', 'wire', '--example', 'schema'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 64 << 20,
  stdio: ['ignore', 'pipe', 'inherit'],
})
const document = JSON.parse(printed)
const schemas = document.components.schemas

const wire = astToString(await openapiTS(withoutNull(document), { emptyObjectsUnknown: true, alphabetize: true }))
const files = {
  'wire.ts': [
    head,
    wire.slice(wire.indexOf('export interface components')).replace(/export type \$defs[\s\S]*/, ''),
    Object.keys(schemas).filter(name => !name.includes('_')).sort()
      .map(name => `export type ${name} = components["schemas"]["${name}"];`).join('\n'),
    '\n\n/** What each operation of the WebSocket takes and answers. */\nexport interface Operations {\n',
    schemas.Operation.oneOf.map(operation).join('\n'),
    '\n}\n',
  ].join(''),
  'codes.ts': [
    head,
    "import type { ErrorCode } from './wire.js'\n\n",
    '/** What is known of each error code: HTTP status, whether the same request may succeed later, and its titles. */\n',
    'export const codes: Record<ErrorCode, { status: number; retryable: boolean; en: string; zh: string }> = {\n',
    schemas.ErrorCode['x-codes']
      .map(({ code, status, retryable, en, zh }) => `  ${code}: ${JSON.stringify({ status, retryable, en, zh })},`).join('\n'),
    '\n}\n',
  ].join(''),
}

if (process.argv.includes('--check')) {
  const stale = Object.entries(files).filter(([name, text]) => readFileSync(out(name), 'utf8') !== text)
  for (const [name] of stale) console.error(`src/${name} is stale: run "npm run generate -w sdk/typescript"`)
  process.exit(stale.length ? 1 : 0)
}
for (const [name, text] of Object.entries(files)) writeFileSync(out(name), text)

// The server leaves absent fields out and never writes null, so the types needn't allow it.
function withoutNull(node) {
  if (Array.isArray(node)) return node.map(withoutNull)
  if (node === null || typeof node !== 'object') return node
  const { ...copy } = node
  if (Array.isArray(copy.type)) {
    const types = copy.type.filter(type => type !== 'null')
    copy.type = types.length === 1 ? types[0] : types
  }
  if (Array.isArray(copy.oneOf)) {
    const kept = copy.oneOf.filter(one => one.type !== 'null')
    if (kept.length === 1 && kept.length < copy.oneOf.length) {
      delete copy.oneOf
      Object.assign(copy, kept[0])
    }
  }
  for (const key of Object.keys(copy)) copy[key] = withoutNull(copy[key])
  return copy
}

// The doc comment of each operation says its answer: "→ `Receipt`".
function operation({ properties, description }) {
  const result = /→ `(\w+)`/.exec(description)?.[1]
  const op = properties.op.enum[0]
  if (!schemas[result]) throw new Error(`operation ${op} doesn't say which schema it answers with`)
  return `  "${op}": { params: components["schemas"]["${properties.params.$ref.split('/').pop()}"]; result: ${result} };`
}
