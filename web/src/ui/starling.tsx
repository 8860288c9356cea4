// The mark: a starling, dark with a sheen, speckled, yellow beak. The same drawing as public/favicon.svg.
import { useId } from 'react'

export function Starling({ size = 32 }: { size?: number }) {
  const id = useId()
  return (
    <svg className="starling" viewBox="0 0 64 64" width={size} height={size} aria-hidden="true" focusable="false">
      <defs>
        <linearGradient id={`${id}b`} x1="0.9" y1="0.05" x2="0.1" y2="1">
          <stop offset="0" stopColor="#2dd4bf" />
          <stop offset="0.32" stopColor="#3b5bdb" />
          <stop offset="0.68" stopColor="#6d28d9" />
          <stop offset="1" stopColor="#2e1065" />
        </linearGradient>
        <linearGradient id={`${id}w`} x1="0.9" y1="0" x2="0.1" y2="1">
          <stop offset="0" stopColor="#312e81" />
          <stop offset="1" stopColor="#0f0b24" />
        </linearGradient>
      </defs>
      <path d="M48.5 15.8 62 20.5 48.8 23.6z" fill="#f5b93d" />
      <path d="M50 19.5C50 12.5 44.8 8 38.5 8 31.5 8 27.5 12.5 24.5 19 20.5 28 13 38 3 53.5c-1 1.6.8 3.2 2.3 2.2L19 47.5c3 5.3 8.5 8.5 15 8.5 10.5 0 18-8.5 18-19.5C52 30 50 26 50 19.5z" fill={`url(#${id}b)`} />
      <path d="M25.5 26C21.5 34 15 42.5 7.5 52c12.5-2.5 26-6.5 30.5-20.5-4 .5-9.5-1.5-12.5-5.5z" fill={`url(#${id}w)`} />
      <g fill="#fdf3d8">
        <circle cx="42.5" cy="30" r="1.3" />
        <circle cx="46.5" cy="35.5" r="1.3" />
        <circle cx="41.5" cy="38.5" r="1.4" />
        <circle cx="45" cy="44" r="1.3" />
        <circle cx="37.5" cy="44.5" r="1.3" />
        <circle cx="39.5" cy="50" r="1.2" />
        <circle cx="31.5" cy="48.5" r="1.2" />
        <circle cx="36" cy="25.5" r="1.1" />
      </g>
      <circle cx="41.5" cy="16.8" r="2.3" fill="#fff" />
      <circle cx="42.2" cy="16.8" r="1.25" fill="#0f0b24" />
    </svg>
  )
}
