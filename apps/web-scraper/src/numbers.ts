/** How numbers are written for people. */

import { whole } from '@streamweld/app-kit/numbers';

export { whole } from '@streamweld/app-kit/numbers';

/** `1 page`, `97 pages`, `2 addresses` */
export function countOf(count: number, what: string): string {
  return `${whole(count)} ${what}${count === 1 ? '' : what.endsWith('s') ? 'es' : 's'}`;
}

/** `512 B`, `1.4 MB` */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** `7.31 s` */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
