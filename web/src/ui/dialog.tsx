// A modal dialog: the native element gives the focus trap, Esc and the inert page behind.
import { useEffect, useId, useRef, type ReactNode } from 'react'
import { useText } from '../i18n/text'
import { Icon } from './icon'

interface DialogProps {
  title: string
  children: ReactNode
  onClose: () => void
  className?: string
  /** Without a visible heading (the title is still read out). */
  bare?: boolean
  role?: 'dialog' | 'alertdialog'
}

export function Dialog({ title, children, onClose, className = '', bare = false, role }: DialogProps) {
  const { t } = useText()
  const ref = useRef<HTMLDialogElement>(null)
  const heading = useId()
  useEffect(() => {
    const dialog = ref.current
    const before = document.activeElement
    if (dialog && !dialog.open) dialog.showModal()
    dialog?.querySelector<HTMLElement>('[data-autofocus]')?.focus()
    return () => {
      dialog?.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={ref}
      className={`dialog ${className}`}
      role={role}
      aria-labelledby={bare ? undefined : heading}
      aria-label={bare ? title : undefined}
      onCancel={(event) => {
        if (event.target !== event.currentTarget) return
        event.preventDefault()
        onClose()
      }}
      onPointerDown={(event) => {
        // Only the backdrop reports the dialog itself as the target, since the content covers all of it.
        if (event.target === event.currentTarget) onClose()
      }}
    >
      <div className="dialog-body">
        {!bare && (
          <header className="dialog-head">
            <h2 id={heading}>{title}</h2>
            <button type="button" className="icon-button" aria-label={t.close} onClick={onClose}>
              <Icon name="close" />
            </button>
          </header>
        )}
        {children}
      </div>
    </dialog>
  )
}
