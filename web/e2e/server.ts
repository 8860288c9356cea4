// A server of its own for each test, in an empty directory, that can be killed and started again at the same address.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const BINARY = process.env.STARLING_BIN ?? fileURLToPath(new URL('../../target/debug/starling', import.meta.url))
const START_MAX_MS = 20_000

export class Server {
  url = ''
  output = ''
  #process?: ChildProcess
  #data = ''

  async start(): Promise<void> {
    this.#data ||= await mkdtemp(path.join(tmpdir(), 'starling-e2e-'))
    const listen = this.url ? new URL(this.url).host : '127.0.0.1:0'
    const child = spawn(BINARY, ['serve', '--data', this.#data, '--listen', listen], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    this.output = ''
    this.url = await new Promise<string>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the server printed no address in ${START_MAX_MS} ms:\n${this.output}`)), START_MAX_MS)
      const read = (chunk: Buffer) => {
        this.output += chunk.toString()
        const address = /http:\/\/127\.0\.0\.1:\d+/.exec(this.output)
        if (!address) return
        clearTimeout(late)
        resolve(address[0])
      }
      child.stdout.on('data', read)
      child.stderr.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
      child.on('error', reject)
      child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${this.output}`)))
    })
  }

  /** SIGKILL: nothing is flushed, nobody is told. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  async end(): Promise<void> {
    await this.kill()
    if (this.#data) await rm(this.#data, { recursive: true, force: true })
  }
}
