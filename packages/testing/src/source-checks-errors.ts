/** S19: what a source throws tells what to do, and nobody's data. */

import assert from 'node:assert/strict';
import { PLENTY, type SourceBench, turns } from './source-bench.ts';
import { hasPositions, type SourceCheck, sourceCheck } from './source-check.ts';
import { allAbsurdPositions, refusal } from './source-checks-positions.ts';
import { assertTells, wordsOf } from './source-errors.ts';

/** Found nowhere else. */
const SECRET = 'kestrel-7Qx9-planted-secret';

export const ERROR_CHECKS: readonly SourceCheck[] = [
  sourceCheck(
    'S19',
    'has a code and no item in its error where it refuses a position',
    async (bench) => {
      const words = wordsOf(bench.place.items);
      for (const positions of await allAbsurdPositions(bench)) {
        const failure = await refusal(bench, positions);
        if (failure !== undefined) assertTells(failure.error, words, 'Refusing a position');
      }
    },
    { applies: hasPositions },
  ),
  sourceCheck(
    'S19',
    'has a code and no secret in its error where it is denied',
    async (bench) => {
      const source = await bench.harness.createDenied?.(bench.place, SECRET);
      const failure = await refusal(bench, new Map(), bench.reading(source));
      assert(failure !== undefined, 'It was to be denied, and was not.');
      assertTells(failure.error, [SECRET, ...wordsOf(bench.place.items)], 'Being denied');
    },
    { applies: (harness) => harness.createDenied !== undefined },
  ),
  sourceCheck(
    'S19',
    'has a code, no secret and no item in its error where it fails in the middle',
    async (bench) => {
      const error = await failureInTheMiddle(bench);
      assertTells(error, [SECRET, ...wordsOf(bench.place.items)], 'Failing in the middle');
    },
    {
      applies: (harness) => harness.seedDamaged !== undefined,
      seed: async (harness) => {
        assert(harness.seedDamaged !== undefined);
        return harness.seedDamaged(SECRET);
      },
    },
  ),
];

async function failureInTheMiddle(bench: SourceBench): Promise<unknown> {
  const reading = bench.reading();
  try {
    await reading.open();
    while ((await reading.pull(PLENTY)) !== undefined) await turns(1);
  } catch (error) {
    await reading.close(error);
    return error;
  }
  return assert.fail('It was to fail, and came to its end.');
}
