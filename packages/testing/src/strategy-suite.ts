/** strategySuite: what every dispatch strategy owes, as tests. */

import { STRATEGY_CHECKS } from './strategy-checks.ts';
import type { AnyStrategyHarness, StrategyHarness } from './strategy-harness.ts';
import { registerChecks, type Runner } from './suite.ts';

/**
 * Registers the tests of a dispatch strategy: each rule that it has to keep, numbered as in docs/contracts.md, tried in
 * thousands of states that are drawn from a seed. Nothing runs: no pipeline, no time.
 *
 * A test that fails tells the smallest of the states in which the rule is broken, and its seed: with `seed` set to that and
 * `states` to 1 it is the only one tried.
 *
 * @example
 * import { strategySuite } from '@streamweld/testing';
 * import { describe, test } from 'vitest';
 * import { spill } from '../src/spill.ts';
 *
 * strategySuite({ describe, test }, 'spill', { create: () => spill, item: (index) => index });
 */
export function strategySuite<T>(runner: Runner, title: string, harness: StrategyHarness<T>): void {
  registerChecks(
    runner,
    `${title}, by the rules of a dispatch strategy`,
    harness as AnyStrategyHarness,
    STRATEGY_CHECKS,
  );
}
