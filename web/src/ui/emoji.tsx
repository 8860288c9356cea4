// A small set of emoji to pick from; the system's keyboard has the rest.
import type { Dictionary } from '../i18n/en'
import { useText } from '../i18n/text'

const sets: { title: keyof Dictionary; signs: string }[] = [
  { title: 'emojiSmileys', signs: '😀 😄 😁 😅 😂 🤣 😊 🙂 😉 😍 🥰 😘 😋 😎 🤩 🥳 🤔 🤨 😐 😏 🙄 😴 😷 🤒 🥲 😢 😭 😤 😡 🤯 😱 😳 😬 🫠 🫡 🤗 🤭 🤫' },
  { title: 'emojiHands', signs: '👍 👎 👌 ✌️ 🤞 🤙 👋 👏 🙌 🫶 🤝 🙏 💪 👀 ❤️ 🧡 💛 💚 💙 💜 🖤 💔 💯' },
  { title: 'emojiNature', signs: '🐦 🐶 🐱 🦊 🐻 🐼 🐸 🐝 🦋 🌸 🌻 🌲 🍀 🌈 ⭐ 🌙 ☀️ ☁️ ❄️ 🔥 🍎 🍓 🍕 🍜 🍰 🍪 ☕ 🍵 🍻' },
  { title: 'emojiThings', signs: '🎉 🎁 🎈 🏆 ⚽ 🎵 🎸 📷 💻 📱 💡 📌 📎 ✏️ 📅 ⏰ 🔒 🔑 🚀 ✈️ 🚗 🏠 ✅ ❌ ❓ ❗ ⚠️ ➕' },
]

interface EmojiGridProps {
  label: (sign: string) => string
  onPick: (sign: string) => void
}

export function EmojiGrid({ label, onPick }: EmojiGridProps) {
  const { t } = useText()
  return (
    <div className="emoji-grid">
      {sets.map(({ title, signs }) => (
        <section key={title} aria-label={t[title] as string}>
          <h3>{t[title] as string}</h3>
          <div>
            {signs.split(' ').map((sign) => (
              <button key={sign} type="button" aria-label={label(sign)} onClick={() => onPick(sign)}>
                {sign}
              </button>
            ))}
          </div>
        </section>
      ))}
    </div>
  )
}
