// A short message at the foot of the page that goes away by itself.
import { createContext, useCallback, useContext, useEffect, useState, type ReactNode } from 'react'

const SHOWN_MS = 5000

const ToastContext = createContext<(text: string) => void>(() => undefined)

export const useToast = () => useContext(ToastContext)

export function ToastProvider({ children }: { children: ReactNode }) {
  const [toast, setToast] = useState<{ text: string }>()
  const show = useCallback((text: string) => setToast({ text }), [])
  useEffect(() => {
    if (!toast) return undefined
    const timer = setTimeout(() => setToast(undefined), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [toast])
  return (
    <ToastContext value={show}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toast && <p className="toast">{toast.text}</p>}
      </div>
    </ToastContext>
  )
}
