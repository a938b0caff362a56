/** S18: what a source holds is bounded, however much there is. */

import assert from 'node:assert/strict';
import { serialize, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { aWhile, PLENTY, type SourceBench, turns } from './source-bench.ts';
import { type SourceCheck, sourceCheck } from './source-check.ts';
import { keyOf } from './source-comparison.ts';
import type { AnySourceHarness } from './source-harness.ts';

const LARGE_COUNT = 100_000;
const MIB = 1 << 20;
/** Buffers of a client may take that much, and noise does. */
const LEAST_LIMIT = 2 * MIB;

const large = {
  seed: (harness: AnySourceHarness) => harness.seed(harness.largeCount ?? LARGE_COUNT),
};

export const MEMORY_CHECKS: readonly SourceCheck[] = [
  sourceCheck(
    'S18',
    'reads a bounded amount ahead of who does not pull for a while',
    async (bench) => {
      const limit = limitOf(bench);
      const before = await heap();
      const reading = bench.reading();
      await reading.open();
      await aWhile();
      await look('open and not pulled');
      for (const pulls of [1, 3]) {
        for (let pull = 0; pull < pulls; pull += 1) await reading.pull(2);
        await aWhile();
        await look('not pulled for a while');
      }
      await reading.close(new Error('The check is over.'));

      async function look(when: string): Promise<void> {
        checkTaken(bench, reading.count, when);
        const held = (await heap()) - before;
        assert(
          held <= limit,
          `It holds ${mib(held)} when it is ${when}, and no more than ${mib(limit)} may be.`,
        );
      }
    },
    large,
  ),
  sourceCheck(
    'S18',
    'holds nothing of what it has handed out',
    async (bench) => {
      const limit = limitOf(bench);
      const count = bench.place.items.length;
      const { source, ...reading } = await opened(bench);
      let came = 0;
      let before = 0;
      while (came < count) {
        const answer = await bench.soon('the answer to a pull', source.pull(PLENTY));
        assert(answer !== undefined, `It came to its end after ${came} of ${count} items.`);
        came += Array.isArray(answer)
          ? answer.length
          : (answer as { items: readonly unknown[] }).items.length;
        checkTaken(bench, came, `read up to item ${came}`);
        if (before === 0 && came >= count / 5) before = await heap();
      }
      const grown = (await heap()) - before;
      assert(
        grown <= limit,
        `It holds ${mib(grown)} more after ${count} items than after a fifth of them, and no more than ${mib(limit)} may be.`,
      );
      await reading.close();
    },
    large,
  ),
];

/** Driven without keeping what it answers. */
async function opened(bench: SourceBench): Promise<{
  readonly source: ReturnType<SourceBench['reading']>['source'];
  readonly close: () => Promise<void>;
}> {
  const reading = bench.reading();
  await reading.open();
  return { source: reading.source, close: () => reading.close(new Error('The check is over.')) };
}

function checkTaken({ harness, place }: SourceBench, handedOut: number, when: string): void {
  if (harness.countTaken === undefined) return;
  const ahead = harness.countTaken(place) - handedOut;
  const most = Math.max(2 * PLENTY, place.items.length / 4);
  assert(ahead <= most, `It has taken ${ahead} items ahead of what was asked for when it was ${when}.`);
}

/** Half of what the items take. */
function limitOf({ place }: SourceBench): number {
  const sample = place.items.slice(0, 1000).map(keyOf);
  const bytes = (serialize(sample).length / Math.max(1, sample.length)) * place.items.length;
  return Math.max(LEAST_LIMIT, bytes / 2);
}

let collect: (() => void) | undefined;

/** Bytes in use after everything that can be collected was. */
async function heap(): Promise<number> {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  for (let round = 0; round < 2; round += 1) {
    collect();
    await turns();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
