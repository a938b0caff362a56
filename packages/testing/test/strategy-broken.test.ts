/** The suite on strategies that are broken on purpose: each must be caught, by the number of the rule that it breaks. */

import { findBreaches, STRATEGY_CHECKS, type StrategyHarness } from '@streamweld/testing';
import { describe, expect, test } from 'vitest';
import { BROKEN_STRATEGIES } from './strategies/broken-strategies.ts';

/** Few: each is broken in many of them. */
const STATES = 120;

/** What it says of each rule that is broken. */
async function breachesOf(
  harness: StrategyHarness<number>,
): Promise<readonly { readonly rule: string; readonly said: string }[]> {
  const breaches = await findBreaches(harness as StrategyHarness<unknown>, STRATEGY_CHECKS);
  return breaches.map(({ rule, error }) => ({ rule, said: (error as Error).message }));
}

describe('strategySuite catches a strategy that', () => {
  for (const { rule, defect, says, harness } of BROKEN_STRATEGIES) {
    test(`${rule} ${defect}`, async () => {
      const breaches = await breachesOf({ ...harness, states: STATES });
      expect(breaches.map((breach) => breach.rule)).toContain(rule);
      const said = breaches.filter((breach) => breach.rule === rule).map((breach) => breach.said);
      expect(said.join('\n')).toMatch(says);
    });
  }

  test('is broken in each rule of the suite, and in no other', () => {
    const broken = new Set(BROKEN_STRATEGIES.map(({ rule }) => rule));
    expect([...broken]).toEqual([...new Set(STRATEGY_CHECKS.map(({ rule }) => rule))]);
  });

  test('breaks each of its checks', async () => {
    const silent = new Set(STRATEGY_CHECKS.map(({ sentence }) => sentence));
    for (const check of STRATEGY_CHECKS) {
      for (const { rule, harness } of BROKEN_STRATEGIES) {
        if (rule !== check.rule) continue;
        const breaches = await findBreaches({ ...harness, states: STATES } as StrategyHarness<unknown>, [
          check,
        ]);
        if (breaches.length > 0) silent.delete(check.sentence);
      }
    }
    expect([...silent]).toEqual([]);
  });
});
