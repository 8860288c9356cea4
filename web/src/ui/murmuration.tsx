// The flock on the sign-in page: a few hundred birds that keep near, keep apart and fly alike (Reynolds' boids) at dusk.
// Stands still for those who asked for less motion, and rests while the tab is hidden.
import { useEffect, useRef } from 'react'
import { useMedia } from '../hooks/use-media'

const BIRDS = 1200
const NEIGHBOURS_MAX = 7
const CELL_PX = 34
const APART_PX = 15
const SPEED_MAX = 2.1
const SPEED_MIN = 1.1
/** How far the flock spreads, as a part of the sky, and how hard it is called home there. */
const REACH = 0.26
const PULL = 0.1
const STILL_STEPS = 260

interface Bird {
  x: number
  y: number
  vx: number
  vy: number
}

function fly(birds: Bird[], width: number, height: number, step: number): void {
  const cells = new Map<number, Bird[]>()
  const columns = Math.ceil(width / CELL_PX) + 2
  const cellOf = (bird: Bird) => Math.floor(bird.y / CELL_PX) * columns + Math.floor(bird.x / CELL_PX)
  for (const bird of birds) {
    const cell = cells.get(cellOf(bird))
    if (cell) cell.push(bird)
    else cells.set(cellOf(bird), [bird])
  }
  // The point that the flock circles wanders on a slow figure.
  const cx = width * (0.52 + 0.16 * Math.sin(step / 300))
  const cy = height * (0.48 + 0.12 * Math.sin(step / 210 + 1))
  for (const bird of birds) {
    let near = 0
    let [ax, ay, px, py, sx, sy] = [0, 0, 0, 0, 0, 0]
    const home = cellOf(bird)
    search: for (const row of [-columns, 0, columns]) {
      for (const column of [-1, 0, 1]) {
        for (const other of cells.get(home + row + column) ?? []) {
          if (other === bird) continue
          const dx = other.x - bird.x
          const dy = other.y - bird.y
          const distance = dx * dx + dy * dy
          if (distance > CELL_PX * CELL_PX) continue
          near += 1
          ax += other.vx
          ay += other.vy
          px += dx
          py += dy
          if (distance < APART_PX * APART_PX) {
            sx -= dx / (distance + 1)
            sy -= dy / (distance + 1)
          }
          if (near >= NEIGHBOURS_MAX) break search
        }
      }
    }
    if (near > 0) {
      bird.vx += (ax / near - bird.vx) * 0.07 + (px / near) * 0.0007 + sx * 2.4
      bird.vy += (ay / near - bird.vy) * 0.07 + (py / near) * 0.0007 + sy * 2.4
    }
    // The pull home grows with the square of the distance: the flock stays wide and yet never leaves the sky.
    const tx = (cx - bird.x) / (width * REACH)
    const ty = (cy - bird.y) / (height * REACH)
    bird.vx += tx * Math.abs(tx) * PULL
    bird.vy += ty * Math.abs(ty) * PULL
    const speed = Math.hypot(bird.vx, bird.vy) || 1
    const scale = Math.min(SPEED_MAX, Math.max(SPEED_MIN, speed)) / speed
    bird.vx *= scale
    bird.vy *= scale
    bird.x += bird.vx
    bird.y += bird.vy
  }
}

function draw(context: CanvasRenderingContext2D, birds: Bird[], width: number, height: number): void {
  context.clearRect(0, 0, width, height)
  context.fillStyle = 'rgba(12, 9, 28, 0.88)'
  context.beginPath()
  for (const [i, bird] of birds.entries()) {
    const speed = Math.hypot(bird.vx, bird.vy) || 1
    const size = 1 + (i % 5) * 0.3
    const ux = (bird.vx / speed) * size
    const uy = (bird.vy / speed) * size
    context.moveTo(bird.x + ux * 1.7, bird.y + uy * 1.7)
    context.lineTo(bird.x - ux - uy * 1.25, bird.y - uy + ux * 1.25)
    context.lineTo(bird.x - ux * 0.25, bird.y - uy * 0.25)
    context.lineTo(bird.x - ux + uy * 1.25, bird.y - uy - ux * 1.25)
  }
  context.fill()
}

export function Murmuration() {
  const ref = useRef<HTMLCanvasElement>(null)
  const still = useMedia('(prefers-reduced-motion: reduce)')
  useEffect(() => {
    const canvas = ref.current
    const context = canvas?.getContext('2d')
    if (!canvas || !context) return undefined
    let [width, height, frame, step] = [0, 0, 0, 0]
    let birds: Bird[] = []
    const fit = () => {
      width = canvas.clientWidth
      height = canvas.clientHeight
      canvas.width = width * devicePixelRatio
      canvas.height = height * devicePixelRatio
      context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0)
      if (birds.length === 0 && width > 0) {
        birds = Array.from({ length: BIRDS }, () => {
          const angle = Math.random() * Math.PI * 2
          const radius = Math.sqrt(Math.random()) * Math.min(width, height) * 0.3
          return { x: width * 0.5 + Math.cos(angle) * radius * 1.6, y: height * 0.42 + Math.sin(angle) * radius * 0.8, vx: 1.5 + Math.random(), vy: Math.random() - 0.5 }
        })
        for (; step < STILL_STEPS; step += 1) fly(birds, width, height, step)
      }
      draw(context, birds, width, height)
    }
    const tick = () => {
      fly(birds, width, height, (step += 1))
      draw(context, birds, width, height)
      frame = requestAnimationFrame(tick)
    }
    const observer = new ResizeObserver(fit)
    observer.observe(canvas)
    if (!still) frame = requestAnimationFrame(tick)
    return () => {
      observer.disconnect()
      cancelAnimationFrame(frame)
    }
  }, [still])
  return <canvas className="murmuration" ref={ref} aria-hidden="true" />
}
