/** S3 to S6: what a pull answers. */

import assert from 'node:assert/strict';
import { PLENTY, type SourceBench, turns } from './source-bench.ts';
import { isEndless, type SourceCheck, sourceCheck } from './source-check.ts';
import { assertItems, assertLanes, byLane, keyOf } from './source-comparison.ts';

const DEMANDS: readonly number[] = [1, 2, 7, PLENTY];

export const PULLING_CHECKS: readonly SourceCheck[] = [
  ...DEMANDS.map((demand) =>
    sourceCheck('S3', `answers every item once, and never more than ${demand} at a time`, async (bench) => {
      assertItems(await bench.readAll(demand), bench.expected, `With a demand of ${demand}`);
    }),
  ),
  sourceCheck(
    'S3',
    'answers the same items in the same order in each lane, whatever the demand',
    async (bench) => {
      const due = byLane(await bench.readAll(3));
      for (const demand of [1, 5, PLENTY, bench.anyDemand]) {
        const what = typeof demand === 'number' ? `a demand of ${demand}` : 'a demand that changes';
        assertLanes(byLane(await bench.readAll(demand)), due, `With ${what}, against a demand of 3`);
      }
    },
  ),
  sourceCheck(
    'S4',
    'answers what is there, without waiting for as much as was asked for',
    async (bench) => {
      const reading = bench.reading();
      await reading.open();
      // More than there is: whoever waits to fill this waits for ever.
      while (reading.count < bench.expected.length) await reading.pull(PLENTY);
      const outstanding = reading.pull(PLENTY);
      await turns();
      await bench.grow(2);
      await outstanding;
      while (reading.count < bench.expected.length) await reading.pull(PLENTY);
      assertItems(reading.answers, bench.expected, 'After the place has grown');
      await reading.close(new Error('The check is over.'));
    },
    { applies: isEndless },
  ),
  sourceCheck(
    'S5',
    'comes to its end when all was answered, and not before',
    async (bench) => {
      await endsAfter(bench, 0);
    },
    { seed: 0 },
  ),
  sourceCheck(
    'S5',
    'comes to its end behind a single item',
    async (bench) => {
      await endsAfter(bench, 1);
    },
    { seed: 1 },
  ),
  sourceCheck('S6', 'changes no array that it has handed out, and no item in it', async (bench) => {
    const answers = await bench.readAll(bench.anyDemand);
    const { harness } = bench;
    for (const [index, { items, keys }] of answers.entries()) {
      const now = items.map((item) =>
        keyOf(harness.essenceOf === undefined ? item : harness.essenceOf(item)),
      );
      assert.deepEqual(now, keys, `What it answered to pull ${index + 1} was changed later.`);
    }
    const arrays = new Set(answers.filter(({ items }) => items.length > 0).map(({ items }) => items));
    const full = answers.filter(({ items }) => items.length > 0).length;
    assert.equal(arrays.size, full, 'It handed the same array out twice.');
  }),
];

async function endsAfter(bench: SourceBench, count: number): Promise<void> {
  assert.equal(bench.expected.length, count, `seed(${count}) answered another number of items.`);
  assertItems(await bench.readAll(PLENTY), bench.expected, `With ${count} in the place`);
}
