/** How numbers are written for people. */

import { whole } from '@streamweld/app-kit/numbers';

export { rate, seconds, whole } from '@streamweld/app-kit/numbers';

/** `1 line`, `39 lines` */
export function countOf(count: number, what: string): string {
  return `${whole(count)} ${what}${count === 1 ? '' : 's'}`;
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
