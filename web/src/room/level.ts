// Levels are numbers on the wire; people see names.
import type { Dictionary } from '../i18n/en'

export const LEVELS = [
  { level: 0, name: 'levelReader' },
  { level: 10, name: 'levelMember' },
  { level: 50, name: 'levelModerator' },
  { level: 90, name: 'levelAdmin' },
  { level: 100, name: 'levelOwner' },
] as const satisfies { level: number; name: keyof Dictionary }[]

export const MEMBER_LEVEL = 10

export function levelName(level: number, t: Dictionary): string {
  const preset = LEVELS.find((entry) => entry.level === level)
  return preset ? t[preset.name] : t.levelNumber(level)
}
