// Copying a text. Browsers give pages that were not loaded over HTTPS no clipboard; there the old way still works.
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  const before = document.activeElement
  area.value = text
  area.className = 'visually-hidden'
  // Inside an open dialog, what is outside of it can't be selected.
  ;(document.querySelector('dialog[open]') ?? document.body).append(area)
  area.select()
  const copied = document.execCommand('copy')
  area.remove()
  if (before instanceof HTMLElement) before.focus({ preventScroll: true })
  if (!copied) throw new Error('the browser does not let the page copy')
}
