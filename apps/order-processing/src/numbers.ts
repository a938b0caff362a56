/** How numbers are written for people. */

import { whole } from '@streamweld/app-kit/numbers';

export { percent, rate, seconds, whole } from '@streamweld/app-kit/numbers';

const MONEY = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'EUR' });

/** `1 order`, `39 orders` */
export function countOf(count: number): string {
  return `${whole(count)} ${count === 1 ? 'order' : 'orders'}`;
}

/** `€1,864.20` */
export function money(cents: number): string {
  return MONEY.format(cents / 100);
}
