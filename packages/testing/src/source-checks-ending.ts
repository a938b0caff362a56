/** S9, S10, S16 and S17: how a source is stopped, aborted and closed, and that nothing is left of it. */

import assert from 'node:assert/strict';
import { PLENTY, type Reading, type SourceBench, turns } from './source-bench.ts';
import { hasPositions, isEndless, type SourceCheck, sourceCheck } from './source-check.ts';
import { absurdPositionsOf, refusal } from './source-checks-positions.ts';
import { assertItems } from './source-comparison.ts';

const ABORTED = new Error('The run was aborted.');

export const ENDING_CHECKS: readonly SourceCheck[] = [
  sourceCheck(
    'S9',
    'answers the outstanding pull soon after stop, and loses nothing by it',
    async (bench) => {
      for (const already of [0, 5]) {
        const reading = bench.reading();
        await reading.open();
        if (already > 0) await reading.read(already, 2);
        // Not waited for: it is outstanding, unless the source answers at once.
        const outstanding = reading.pull(PLENTY);
        await reading.stop();
        await outstanding;
        await reading.close();
        await hasTheRest(bench, reading);
      }
    },
  ),
  sourceCheck(
    'S9',
    'ends a wait for items that have not come yet, when it is stopped',
    async (bench) => {
      const reading = bench.reading();
      await reading.open();
      await reading.read(bench.expected.length);
      const outstanding = reading.pull(PLENTY);
      await turns();
      await reading.stop();
      await outstanding;
      await reading.close();
      assertItems(reading.answers, bench.expected, 'Stopped while it waited');
    },
    { applies: isEndless },
  ),
  sourceCheck('S10', 'closes soon in every state, with a reason and without', (bench) => inEveryState(bench)),
  sourceCheck('S16', 'settles an outstanding pull soon after an abort', async (bench) => {
    for (const already of [0, 5, ...(bench.isEndless ? [bench.expected.length] : [])]) {
      const reading = bench.reading();
      await reading.open();
      if (already > 0) await reading.read(already, 2);
      const outstanding = settled(reading.pull(PLENTY));
      if (already > 5) await turns();
      reading.abort();
      await mustNotTime(outstanding);
      await reading.close(ABORTED);
    }
  }),
  sourceCheck('S16', 'settles an outstanding open soon after an abort', async (bench) => {
    for (const isEarly of [true, false]) {
      const reading = bench.reading();
      if (isEarly) reading.abort();
      const opening = settled(reading.open());
      if (!isEarly) reading.abort();
      await mustNotTime(opening);
      await reading.close(ABORTED);
    }
  }),
  sourceCheck(
    'S17',
    'leaves no handle, listener, timer or promise behind, whatever state it is closed in',
    (bench) => inEveryState(bench),
  ),
  sourceCheck('S17', 'settles what is outstanding when it is closed', async (bench) => {
    const reading = bench.reading();
    await reading.open();
    if (bench.isEndless) await reading.read(bench.expected.length);
    const outstanding = settled(reading.pull(PLENTY));
    await turns();
    reading.abort();
    await reading.close(ABORTED);
    await mustNotTime(outstanding);
  }),
];

/** Opens, goes into each state there is, and closes. */
async function inEveryState(bench: SourceBench): Promise<void> {
  const after = async (body: (reading: Reading) => Promise<unknown>): Promise<void> => {
    const reading = bench.reading();
    const reason = await body(reading);
    await reading.close(reason);
  };
  await after((reading) => reading.open());
  await after(async (reading) => {
    await reading.open();
    return ABORTED;
  });
  await after(async (reading) => {
    await reading.open();
    await reading.read(5, 2);
    return ABORTED;
  });
  await after(async (reading) => {
    await reading.open();
    await reading.read(5, 2);
    await reading.stop();
  });
  await after(async (reading) => {
    await reading.open();
    await reading.readAll(PLENTY, bench.expected.length);
  });
  await after(async (reading) => {
    await reading.open();
    await reading.read(5, 2);
    void settled(reading.pull(2));
    reading.abort();
    return ABORTED;
  });
  await after(async (reading) => {
    const opening = settled(reading.open());
    reading.abort();
    await opening;
    return ABORTED;
  });
  // An open that failed is closed, too.
  const absurd = await absurdPositionsOf(bench);
  if (absurd !== undefined) await refusal(bench, absurd);
  const denied = await bench.harness.createDenied?.(bench.place, 'a wrong password');
  if (denied !== undefined) await refusal(bench, new Map(), bench.reading(denied));
}

/** After a stop the next run has what this one had not. */
async function hasTheRest(bench: SourceBench, { answers, positions }: Reading): Promise<void> {
  if (!hasPositions(bench.harness)) return;
  const left = bench.expected.length - answers.reduce((sum, { keys }) => sum + keys.length, 0);
  const rest = await bench.readAll(PLENTY, positions, left);
  assertItems([...answers, ...rest], bench.expected, 'Before a stop and after it');
}

/** How it ended, where that is all the same. */
async function settled(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return error;
  }
}

/** An error is an answer; a deadline that has passed is none. */
async function mustNotTime(outcome: Promise<unknown>): Promise<void> {
  const error = await outcome;
  const isLate = error instanceof Error && /did not come within \d+ ms/.test(error.message);
  assert(!isLate, isLate ? error.message : '');
}
