/**
 * What every suite of the kit is made of: checks, each of one numbered rule, hooked into whatever test runner there is.
 *
 * A check is data, so that the same list is put to a connector as tests, and to implementations that are broken on purpose
 * to see that it catches each of them by its number.
 */

import { tellRule } from './rules.ts';

/** The two functions of a test runner that a suite needs: Vitest's, Jest's and node:test's all fit. */
export interface Runner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly test: (name: string, body: () => Promise<void>) => unknown;
}

/** One thing that a rule asks for, tried on a harness: what the author of a connector wrote. */
export interface Check<Harness> {
  /** The number of the rule in docs/contracts.md: 'S12'. */
  readonly rule: string;
  /** What is seen when it holds, in the present: the name of the test goes on with it. */
  readonly sentence: string;
  /** Whether the harness offers what the check needs. Default: it needs nothing optional. */
  readonly applies?: ((harness: Harness) => boolean) | undefined;
  /** Rejects where the rule is broken. */
  readonly run: (harness: Harness) => Promise<void>;
}

/**
 * Registers a test for each check that applies; its name begins with the number of the rule. What fails says the rule, and
 * where to read about it.
 */
export function registerChecks<Harness>(
  { describe, test }: Runner,
  title: string,
  harness: Harness,
  checks: readonly Check<Harness>[],
): void {
  describe(title, () => {
    for (const { rule, sentence, applies, run } of checks) {
      if (applies?.(harness) === false) continue;
      test(`${rule} ${sentence}`, async () => {
        try {
          await run(harness);
        } catch (error) {
          throw tellRule(rule, error);
        }
      });
    }
  });
}

/** The rules that a harness breaks, in order, with what each check said: how the kit itself is tested. */
export async function findBreaches<Harness>(
  harness: Harness,
  checks: readonly Check<Harness>[],
): Promise<{ readonly rule: string; readonly error: unknown }[]> {
  const breaches: { rule: string; error: unknown }[] = [];
  for (const { rule, applies, run } of checks) {
    if (applies?.(harness) === false) continue;
    try {
      await run(harness);
    } catch (error) {
      breaches.push({ rule, error });
    }
  }
  return breaches;
}

/**
 * What the promise answers, within a deadline of real time: a rule that says "soon" is broken by what never comes.
 * @throws Error that says what was waited for.
 */
export function within<T>(ms: number, what: string, promise: PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} did not come within ${ms} ms.`)), ms);
    promise.then(resolve, reject).then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
  });
}
