import { defineConfig } from 'vitest/config'

// Node 20 has a WebSocket, behind a flag; later ones have it without.
const flag = process.versions.node.startsWith('20.') ? ['--experimental-websocket'] : []

export default defineConfig({
  test: { include: ['test/server/**/*.test.ts'], pool: 'forks', execArgv: flag, testTimeout: 120_000, hookTimeout: 60_000 },
})
