/** Numbers as people read them. */

/** `1,204,330` */
export function asCount(items: number): string {
  return Math.round(items)
    .toString()
    .replace(/\B(?=(\d{3})+$)/gu, ',');
}

/** `48.2k/s`, of three digits; below ten with a fraction. */
export function asRate(perSecond: number): string {
  const units = ['', 'k', 'M', 'G'];
  let value = perSecond;
  let at = 0;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  const isWhole = value >= 99.95 || (at === 0 && (value >= 9.95 || value === 0));
  return `${isWhole ? Math.round(value) : value.toFixed(1)}${units[at]}/s`;
}

/** `0:27`, `1:02:03`; under ten seconds with a tenth: `3.4 s`. */
export function asDuration(ms: number): string {
  if (ms < 9950) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  return asClock(ms);
}

/** `0:07`, `1:02:03` */
export function asClock(ms: number): string {
  const seconds = Math.round(Math.max(0, ms) / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const two = (part: number): string => String(part).padStart(2, '0');
  return hours === 0 ? `${minutes}:${two(seconds % 60)}` : `${hours}:${two(minutes)}:${two(seconds % 60)}`;
}

/** `62 %`, of a share from 0 to 1. */
export function asPercent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
