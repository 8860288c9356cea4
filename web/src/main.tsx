// Starts the client in the page.
import { createRoot } from 'react-dom/client'
import { App } from './app'
import { applyTheme } from './hooks/use-theme'
import { TextProvider } from './i18n/text'
import { keepShell } from './shell'
import './styles/index.css'

applyTheme()
keepShell()

const root = document.getElementById('root')
if (!root) throw new Error('the page has no #root')
createRoot(root).render(
  <TextProvider>
    <App />
  </TextProvider>,
)
