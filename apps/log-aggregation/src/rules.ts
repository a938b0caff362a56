/** When somebody is to be told: plain functions over what a log said within a while. */

import type { Entry } from './entry.ts';

/** What a rule may look at. */
export type Sign = Pick<Entry, 'level' | 'status' | 'ms'>;

export interface Rule {
  readonly name: string;
  /** How long an entry counts, by the clock of its log. */
  readonly windowMs: number;
  /** Which entries count. */
  readonly counts: (entry: Sign) => boolean;
  /** What there is to tell about those within the window, the newest last; nothing, while all is well. */
  readonly judge: (window: readonly Sign[]) => string | undefined;
}

/** The most entries of a window: the oldest give way. */
export const MOST_IN_WINDOW = 200;

/** More than so many of them within the window. */
function from(least: number, tell: (count: number) => string): Rule['judge'] {
  return ({ length }) => (length >= least ? tell(length) : undefined);
}

export const RULES: readonly Rule[] = [
  {
    name: 'errors',
    windowMs: 1_000,
    counts: ({ level }) => level === 'error' || level === 'fatal',
    judge: from(5, (count) => `${count} errors within a second`),
  },
  {
    name: 'missing',
    windowMs: 60_000,
    counts: ({ status }) => status === 404,
    judge: from(3, (count) => `${count} answers of 404 within a minute: a link may be broken`),
  },
  {
    name: 'slow',
    windowMs: 10_000,
    counts: ({ ms }) => ms !== undefined,
    judge: (window) => {
      const slow = window.filter(({ ms = 0 }) => ms >= 250).length;
      return slow >= 10 ? `${slow} of the last ${window.length} requests took 250 ms or more` : undefined;
    },
  },
  {
    name: 'odd',
    windowMs: 60_000,
    counts: ({ level }) => level === 'unknown',
    judge: from(1, () => 'a line that nobody understands'),
  },
];
