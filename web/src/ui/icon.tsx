// The icons, drawn for this client: 20 px grid, 1.6 px round strokes.
const paths = {
  close: 'M5 5l10 10M15 5L5 15',
  back: 'M12.5 4.5L7 10l5.5 5.5',
  search: 'M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12zM13.5 13.5L17 17',
  group: 'M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 16.5c.4-3 2.6-4.5 5.5-4.5s5.1 1.5 5.5 4.5M13.5 9.3a2.6 2.6 0 0 0 0-5.1M15.3 12.5c1.5.6 2.5 1.9 2.7 4',
  newGroup: 'M8 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 16.5c.4-3 2.6-4.5 5.5-4.5 1.3 0 2.5.3 3.4.9M15.5 11v6M12.5 14h6',
  settings: 'M3 6h7M14 6h3M12 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM3 14h3M10 14h7M8 16a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
  details: 'M3.5 4.5h13v11h-13zM12 4.5v11',
  send: 'M10 16V4.5M5 9l5-5 5 5',
  emoji: 'M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15zM7 12c.7 1.2 1.7 1.8 3 1.8s2.3-.6 3-1.8M7.5 8v.01M12.5 8v.01',
  reply: 'M8.5 5L4 9.5 8.5 14M4.5 9.5H11c3.3 0 5 1.8 5 5.5',
  edit: 'M4 16l.8-3.5L13 4.3a1.5 1.5 0 0 1 2.1 0l.6.6a1.5 1.5 0 0 1 0 2.1l-8.2 8.2z',
  trash: 'M4 6h12M8 6V4h4v2M5.5 6l.7 10h7.6l.7-10M8.5 9v4.5M11.5 9v4.5',
  copy: 'M7 7h9v9H7zM13 7V4H4v9h3',
  more: 'M5 10v.01M10 10v.01M15 10v.01',
  down: 'M10 4.5V15M5.5 10.5L10 15l4.5-4.5',
  eye: 'M2 10c1.8-3.4 4.5-5 8-5s6.2 1.6 8 5c-1.8 3.4-4.5 5-8 5s-6.2-1.6-8-5zM10 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z',
  eyeOff: 'M4 4l12 12M8 5.2C8.6 5.1 9.3 5 10 5c3.5 0 6.2 1.6 8 5-.6 1.1-1.3 2-2.1 2.8M13 14.4c-.9.4-1.9.6-3 .6-3.5 0-6.2-1.6-8-5 .8-1.5 1.8-2.7 3-3.5',
  leave: 'M8 4H4v12h4M9 10h8M14 7l3 3-3 3',
  alert: 'M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15zM10 6.5v4.5M10 13.5v.01',
  clock: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 6v4.2l2.7 1.6',
  check: 'M4.5 10.5l3.7 3.7L15.5 6.5',
  checks: 'M2 10.5l3.6 3.7 6.5-7.7M9.2 13.2l1 1L17 6.5',
  device: 'M3 4.5h14v9H3zM7.5 16.5h5M10 13.5v3',
  bell: 'M10 3a5 5 0 0 0-5 5v3l-1.5 3h13L15 11V8a5 5 0 0 0-5-5zM8.5 16.5h3',
  retry: 'M15.5 8A6 6 0 1 0 16 11.5M16 4v4.2h-4.2',
  key: 'M12.5 11a4 4 0 1 0-3.6-2.3L3.5 14v2.5H6v-2h2v-2l2-1.8M13.5 6.5v.01',
  link: 'M8.5 11.5l3-3M9 6l1.5-1.5a3.5 3.5 0 0 1 5 5L14 11M11 14l-1.5 1.5a3.5 3.5 0 0 1-5-5L6 9',
} as const

export type IconName = keyof typeof paths

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg className={`icon icon-${name}`} viewBox="0 0 20 20" width={size} height={size} aria-hidden="true" focusable="false">
      <path d={paths[name]} fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  )
}
