// Fails when the core, bundled and minified as an application would, is larger than its budget.
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const SIZE_MAX_BYTES = 25_000

const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL('../src/index.ts', import.meta.url))],
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  write: false,
})
const size = gzipSync(outputFiles[0].contents, { level: 9 }).length
console.log(`core: ${size} of ${SIZE_MAX_BYTES} bytes, gzipped`)
process.exit(size > SIZE_MAX_BYTES ? 1 : 0)
