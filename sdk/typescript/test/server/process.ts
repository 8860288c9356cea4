// A real server as a child process, on data that outlives it.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const START_TIMEOUT_MS = 30_000

export class ServerProcess {
  readonly #bin: string
  readonly #data: string
  #child: ChildProcess | undefined
  url = ''

  private constructor(bin: string, data: string) {
    this.#bin = bin
    this.#data = data
  }

  static async start(): Promise<ServerProcess> {
    const root = fileURLToPath(new URL('../../../../', import.meta.url))
    const bin = process.env.STARLING_BIN
    if (!bin) throw new Error('STARLING_BIN must name the server binary')
    const server = new ServerProcess(resolve(root, bin), await mkdtemp(join(tmpdir(), 'starling-sdk-')))
    await server.run('127.0.0.1:0')
    return server
  }

  /** Starts it, again on the same port if it ran before. */
  async run(listen = new URL(this.url).host): Promise<void> {
    const child = spawn(this.#bin, ['serve', '--data', this.#data, '--listen', listen], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    let said = ''
    child.stderr.on('data', chunk => (said += String(chunk)))
    this.url = await new Promise<string>((found, failed) => {
      const timer = setTimeout(() => failed(new Error(`the server printed no URL:\n${said}`)), START_TIMEOUT_MS)
      child.once('exit', code => failed(new Error(`the server ended with ${code}:\n${said}`)))
      createInterface({ input: child.stdout }).on('line', line => {
        said += `${line}\n`
        const url = /https?:\/\/[^\s/]+/.exec(line)
        if (!url) return
        clearTimeout(timer)
        found(url[0])
      })
    })
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  async remove(): Promise<void> {
    await this.kill()
    await rm(this.#data, { recursive: true, force: true })
  }
}
