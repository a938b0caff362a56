/** How numbers are written for people. */

import { whole } from '@streamweld/app-kit/numbers';

export { whole } from '@streamweld/app-kit/numbers';

/** `1 file`, `39 files` */
export function filesOf(count: number): string {
  return `${whole(count)} ${count === 1 ? 'file' : 'files'}`;
}

/** `1 row`, `1,003 rows` */
export function rowsOf(count: number): string {
  return `${whole(count)} ${count === 1 ? 'row' : 'rows'}`;
}

/** `1 thread`, `2 threads` */
export function threadsOf(count: number): string {
  return `${count} ${count === 1 ? 'thread' : 'threads'}`;
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
