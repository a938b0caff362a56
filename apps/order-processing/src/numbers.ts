/** How numbers are written for people. */

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const MONEY = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'EUR' });

/** `1,864,211` */
export function whole(value: number): string {
  return WHOLE.format(value);
}

/** `1 order`, `39 orders` */
export function countOf(count: number): string {
  return `${whole(count)} ${count === 1 ? 'order' : 'orders'}`;
}

/** `€1,864.20` */
export function money(cents: number): string {
  return MONEY.format(cents / 100);
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
