// A panel in the top layer beside what opened it; closes on Esc and on a click elsewhere (native light dismiss).
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from 'react'

const GAP_PX = 6
const MARGIN_PX = 8

interface PopoverProps {
  anchor: DOMRect
  label: string
  children: ReactNode
  onClose: () => void
  className?: string
  role?: 'menu' | 'dialog'
  align?: 'start' | 'end'
}

export function Popover({ anchor, label, children, onClose, className = '', role = 'dialog', align = 'start' }: PopoverProps) {
  const ref = useRef<HTMLDivElement>(null)
  const [place, setPlace] = useState<{ left: number; top: number }>()
  const closing = useRef(onClose)
  closing.current = onClose

  useLayoutEffect(() => {
    const panel = ref.current
    if (!panel) return
    panel.showPopover()
    const { width, height } = panel.getBoundingClientRect()
    const wanted = align === 'start' ? anchor.left : anchor.right - width
    const left = Math.max(MARGIN_PX, Math.min(wanted, innerWidth - width - MARGIN_PX))
    const above = anchor.top - height - GAP_PX
    const below = anchor.bottom + GAP_PX
    const top = below + height + MARGIN_PX <= innerHeight ? below : Math.max(MARGIN_PX, above)
    setPlace({ left, top })
  }, [anchor, align])

  useEffect(() => {
    const panel = ref.current
    const before = document.activeElement
    const toggled = (event: Event) => {
      if ((event as ToggleEvent).newState === 'closed') closing.current()
    }
    panel?.addEventListener('toggle', toggled)
    panel?.querySelector<HTMLElement>('button, input')?.focus({ preventScroll: true })
    return () => {
      panel?.removeEventListener('toggle', toggled)
      const inside = panel?.contains(document.activeElement) || document.activeElement === document.body
      if (inside && before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true })
    }
  }, [])

  return (
    <div
      ref={ref}
      popover="auto"
      role={role}
      aria-label={label}
      className={`popover ${className}`}
      style={{ left: place?.left ?? 0, top: place?.top ?? 0, visibility: place ? 'visible' : 'hidden' }}
      onKeyDown={(event) => {
        if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
        if (role !== 'menu') return
        event.preventDefault()
        const items = [...event.currentTarget.querySelectorAll<HTMLElement>('button:not(:disabled)')]
        const at = items.indexOf(document.activeElement as HTMLElement)
        items[(at + (event.key === 'ArrowDown' ? 1 : -1) + items.length) % items.length]?.focus()
      }}
    >
      {children}
    </div>
  )
}
