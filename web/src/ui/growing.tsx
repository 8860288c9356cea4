// A text field that grows with its text.
import { useLayoutEffect, useRef, type KeyboardEvent, type Ref, type TextareaHTMLAttributes } from 'react'

/** Whether a key belongs to an input method (Chinese, Japanese …): Enter then picks a word and must not send. */
export function isComposing(event: KeyboardEvent): boolean {
  // Safari ends the composition before the keydown that ended it; 229 is how it marks that key.
  return event.nativeEvent.isComposing || event.nativeEvent.keyCode === 229
}

interface GrowingProps extends Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'onChange' | 'value'> {
  value: string
  onChange: (value: string) => void
  handle?: Ref<HTMLTextAreaElement>
}

export function Growing({ value, onChange, handle, autoFocus, ...rest }: GrowingProps) {
  const ref = useRef<HTMLTextAreaElement>(null)
  useLayoutEffect(() => {
    const area = ref.current
    if (!area) return
    area.style.height = 'auto'
    area.style.height = `${area.scrollHeight}px`
  }, [value])
  useLayoutEffect(() => {
    const area = ref.current
    if (!autoFocus || !area) return
    area.focus()
    area.setSelectionRange(area.value.length, area.value.length)
  }, [autoFocus])
  return (
    <textarea
      {...rest}
      ref={(area) => {
        ref.current = area
        if (typeof handle === 'function') handle(area)
        else if (handle) handle.current = area
      }}
      rows={1}
      dir="auto"
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  )
}
