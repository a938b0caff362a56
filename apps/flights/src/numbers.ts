/** How numbers are written for people. */

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `1,864,211` */
export function whole(value: number): string {
  return WHOLE.format(value);
}

/** `412,000`: a rate is not known to the last digit. */
export function rate(items: number, ms: number): string {
  const perSecond = ms > 0 ? (items / ms) * 1000 : 0;
  return WHOLE.format(perSecond < 1000 ? perSecond : Math.round(perSecond / 1000) * 1000);
}

/** `7.3 s` */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** `62 %` */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `24 MB` */
export function megabytes(bytes: number): string {
  return `${WHOLE.format(bytes / 1e6)} MB`;
}
