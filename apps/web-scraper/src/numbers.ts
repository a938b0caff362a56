/** How numbers are written for people. */

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `1,864,211` */
export function whole(value: number): string {
  return WHOLE.format(value);
}

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
