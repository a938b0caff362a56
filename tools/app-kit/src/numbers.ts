/** How numbers are written for people. */

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `1,864,211` */
export function whole(value: number): string {
  return WHOLE.format(value);
}

/** `1,220`, a second. */
export function rate(items: number, ms: number): string {
  return WHOLE.format(ms > 0 ? (items / ms) * 1000 : 0);
}

/** `7.3 s` */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** `62 %` */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
