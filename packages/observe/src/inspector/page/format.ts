/** Numbers as people read them. */

const WHOLE = new Intl.NumberFormat('en');

export function countText(value: number): string {
  return WHOLE.format(value);
}

/** Three figures, as in `8.71k`, as far as they say something. */
export function shortText(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  let at = 0;
  let left = value;
  while (Math.abs(left) >= 999.5 && at < units.length - 1) {
    left /= 1000;
    at += 1;
  }
  if (at === 0)
    return left >= 10 || left === 0 ? String(Math.round(left)) : String(Math.round(left * 10) / 10);
  return `${Number(left.toPrecision(3))}${units[at]}`;
}

export function rateText(value: number): string {
  return `${shortText(value)}/s`;
}

export function percentText(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** As in `1:02:03` or `4.2 s`. */
export function durationText(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const two = (n: number): string => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = two(Math.floor(seconds) % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** As in `3 min ago`. */
export function agoText(ms: number): string {
  if (ms < 1500) return 'just now';
  if (ms < 90_000) return `${Math.round(ms / 1000)} s ago`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min ago` : `${Math.round(ms / 3_600_000)} h ago`;
}

export function latencyText(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return `${(ms / 1000).toPrecision(3)} s`;
}

export function cut(text: string, letters: number): string {
  const all = Array.from(text);
  return all.length <= letters ? text : `${all.slice(0, letters - 1).join('')}…`;
}
