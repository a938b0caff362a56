/** How numbers are written for people. */

export { percent, seconds, whole } from '@streamweld/app-kit/numbers';

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `143`; below ten with a fraction: `4.8` */
export function rate(items: number, ms: number): string {
  if (ms <= 0) return '0';
  const perSecond = (items / ms) * 1000;
  return perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : WHOLE.format(perSecond);
}

/** `2 ms`, `0.5 ms` */
export function cost(ms: number): string {
  return `${ms} ms`;
}

/** `5, 10 and 20` */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
