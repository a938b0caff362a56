/** What a platform's tally comes to, beside the list of the tests that there are. */

import { LEFT_OUT, whyLeftOut } from './left-out.ts';
import type { Tally } from './tally.ts';

/** A test that there is, told by `vitest list`. */
export interface Listed {
  readonly project: string;
  readonly file: string;
  readonly name: string;
}

interface Counted {
  readonly why: string;
  readonly tests: number;
}

/** What is kept of a run in results.json. */
export interface Verdict {
  readonly platform: string;
  readonly version: string;
  readonly project: string;
  /** Of the day, in UTC: `2026-12-31`. */
  readonly date: string;
  readonly passed: number;
  readonly failed: number;
  /** Skipped by the tests themselves, by reason. */
  readonly skipped: readonly Counted[];
  /** Left out by `left-out.ts`, by reason. */
  readonly leftOut: readonly Counted[];
  readonly seconds: number;
}

export interface Finding {
  readonly verdict: Omit<Verdict, 'version' | 'date' | 'seconds'>;
  /** Each thing that is wrong, in words. */
  readonly wrong: readonly string[];
}

const key = ({ file, name }: { file: string; name: string }): string => `${file} > ${name}`;

const isKnown = new Set(LEFT_OUT.map(({ why }) => why));

function byReason(reasons: readonly string[]): Counted[] {
  const counts = new Map<string, number>();
  for (const why of reasons) counts.set(why, (counts.get(why) ?? 0) + 1);
  return [...counts].map(([why, tests]) => ({ why, tests }));
}

/** A test that was listed and not told is left out for a reason, or wrong; so is one that was told and not listed. */
export function judge(platform: string, project: string, listed: readonly Listed[], tally: Tally): Finding {
  const expected = listed.filter((each) => each.project === project);
  const told = tally.tests.filter((each) => each.project === project);
  const wrong = [...tally.errors];
  const skipped: string[] = [];
  const leftOut: string[] = [];

  for (const test of told) {
    if (test.state === 'failed') wrong.push(`${key(test)}: ${test.error ?? 'failed'}`);
    if (test.state === 'pending') wrong.push(`${key(test)}: was not run to its end`);
    if (test.state !== 'skipped') continue;
    const why = test.why ?? 'the test says no reason';
    (isKnown.has(why) ? leftOut : skipped).push(why);
  }

  // Names may stand more than once in a file, so each is crossed off as often as it was told.
  const open = new Map<string, number>();
  for (const test of told) open.set(key(test), (open.get(key(test)) ?? 0) + 1);
  for (const test of expected) {
    const left = open.get(key(test)) ?? 0;
    if (left > 0) {
      open.set(key(test), left - 1);
      continue;
    }
    const why = whyLeftOut(platform, project, test.file, test.name.split(' > ').at(-1) ?? '');
    if (why === undefined) wrong.push(`${key(test)}: was never told of`);
    else leftOut.push(why);
  }
  for (const [name, left] of open) if (left > 0) wrong.push(`${name}: is run here, and is not in the list`);
  if (expected.length === 0) wrong.push(`There are no tests in a project ${project}.`);

  const passed = told.filter(({ state }) => state === 'passed').length;
  const failed = told.filter(({ state }) => state === 'failed').length + tally.errors.length;
  return {
    verdict: { platform, project, passed, failed, skipped: byReason(skipped), leftOut: byReason(leftOut) },
    wrong,
  };
}
