/** How numbers are written for people. */

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `1,864,211` */
export function whole(value: number): string {
  return WHOLE.format(value);
}

/** `1 line`, `39 lines` */
export function countOf(count: number, what: string): string {
  return `${whole(count)} ${what}${count === 1 ? '' : 's'}`;
}

/** `1,220`, a second. */
export function rate(items: number, ms: number): string {
  return WHOLE.format(ms > 0 ? (items / ms) * 1000 : 0);
}

/** `7.3 s` */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** `62.1 %` */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** `512 bytes`, `1.4 MB`: decimal units. */
export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
