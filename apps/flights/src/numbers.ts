/** How numbers are written for people. */

export { percent, seconds, whole } from '@streamweld/app-kit/numbers';

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `412,000`: a rate is not known to the last digit. */
export function rate(items: number, ms: number): string {
  const perSecond = ms > 0 ? (items / ms) * 1000 : 0;
  return WHOLE.format(perSecond < 1000 ? perSecond : Math.round(perSecond / 1000) * 1000);
}

/** `24 MB` */
export function megabytes(bytes: number): string {
  return `${WHOLE.format(bytes / 1e6)} MB`;
}
