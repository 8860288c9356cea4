// Asks before something that can't be taken back.
import { useText } from '../i18n/text'
import { useAction } from '../hooks/use-problem'
import { Dialog } from './dialog'

interface ConfirmProps {
  title: string
  hint: string
  warning?: string
  action: string
  onConfirm: () => Promise<unknown>
  onClose: () => void
}

export function Confirm({ title, hint, warning, action, onConfirm, onClose }: ConfirmProps) {
  const { t } = useText()
  const { busy, problem, run } = useAction()
  return (
    <Dialog title={title} onClose={onClose} className="confirm" role="alertdialog">
      <p className="muted">{hint}</p>
      {warning && <p className="notice-warning">{warning}</p>}
      {problem && <p className="problem" role="alert">{problem}</p>}
      <footer className="dialog-foot">
        <button type="button" className="button" onClick={onClose}>
          {t.cancel}
        </button>
        <button
          type="button"
          className="button danger"
          data-autofocus
          disabled={busy}
          onClick={async () => {
            if (await run(onConfirm)) onClose()
          }}
        >
          {action}
        </button>
      </footer>
    </Dialog>
  )
}
