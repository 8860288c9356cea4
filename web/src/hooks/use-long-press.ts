// A long press of a finger, given up when it moves or scrolls.
import { useEffect, useMemo, useRef, type PointerEvent } from 'react'

const PRESS_MS = 450
const MOVE_MAX_PX = 10

export function useLongPress(onPress: (rect: DOMRect) => void) {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const start = useRef({ x: 0, y: 0 })
  const press = useRef(onPress)
  press.current = onPress
  useEffect(() => () => clearTimeout(timer.current), [])
  return useMemo(() => {
    const stop = () => clearTimeout(timer.current)
    return {
      onPointerDown(event: PointerEvent<HTMLElement>) {
        stop()
        if (event.pointerType !== 'touch') return
        const rect = event.currentTarget.getBoundingClientRect()
        start.current = { x: event.clientX, y: event.clientY }
        timer.current = setTimeout(() => press.current(rect), PRESS_MS)
      },
      onPointerMove(event: PointerEvent) {
        if (Math.hypot(event.clientX - start.current.x, event.clientY - start.current.y) > MOVE_MAX_PX) stop()
      },
      onPointerUp: stop,
      onPointerCancel: stop,
    }
  }, [])
}
