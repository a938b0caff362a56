/** Whether there is somebody who sees what is drawn, and can press keys. */

import { isatty } from 'node:tty';

/** Keys come from stdin and everything is drawn on stdout: both have to be the terminal. */
export function isInteractive(): boolean {
  const { CI, TERM } = process.env;
  const isOfCi = CI !== undefined && CI !== '' && CI !== '0' && CI !== 'false';
  return isatty(0) && isatty(1) && !isOfCi && TERM !== 'dumb';
}

/** How wide text on stdout may be: a log is read at 100. */
export function columns(): number {
  return process.stdout.columns ?? 100;
}
