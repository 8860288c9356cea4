/// <reference types="vitest/config" />
// Builds the web client into `dist`, which the server embeds. The output obeys `default-src 'self'`: no inline
// script or style, no asset turned into a data: URL that a policy would have to allow.
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const server = process.env.STARLING_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [react()],
  build: { target: 'es2023', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  // `npm run dev` serves the client with hot reload against a server that runs elsewhere.
  server: { proxy: { '/v1': { target: server, ws: true } } },
  test: { environment: 'jsdom', include: ['tests/**/*.test.{ts,tsx}'] },
})
