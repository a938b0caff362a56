/** Checks of a sink that fails, is aborted, or is closed in the middle: what it says, and what it leaves. */

import assert from 'node:assert/strict';
import { type DeadLetter, ConcurrentPipeline, collect } from '@streamweld/core';
import { failureOf, type SinkBench, type SinkCheck, sinkCheck, turns, type Writing } from './sink-bench.ts';
import type { AnySinkHarness } from './sink-harness.ts';
import { assertHolds, assertOnly, assertSame } from './sink-items.ts';
import { ItemSource } from './sink-source.ts';
import { assertTells, wordsOf } from './source-errors.ts';

/** In no message by chance. */
const SECRET = 'planted-secret-7f3a9c';
/** The number of an item that must be found in no error. */
const MARKED = 918_273_645;
/** How often a write that failed is tried. */
const ATTEMPTS = 5;

const canInterrupt = (harness: AnySinkHarness): boolean => harness.interrupt !== undefined;
const canStall = (harness: AnySinkHarness): boolean => harness.stall !== undefined;
const canDeny = (harness: AnySinkHarness): boolean => harness.createDenied !== undefined;
const hasBadItem = (harness: AnySinkHarness): boolean => harness.badItem !== undefined;

/** What an error says about the write that it ended; behind one of core's its cause is heard. */
interface Says {
  readonly retryable?: unknown;
  readonly failed?: unknown;
}

function says(error: unknown): Says {
  for (let said: unknown = error, depth = 0; depth < 8; depth += 1) {
    if (typeof said !== 'object' || said === null) break;
    if ('retryable' in said || 'failed' in said) return said;
    said = (said as { cause?: unknown }).cause;
  }
  return {};
}

/** Marked items, and what they are known by in a text. */
function markedItems(
  bench: SinkBench,
  count: number,
): { readonly items: unknown[]; readonly words: string[] } {
  const items = bench.items(MARKED, MARKED + count);
  return { items, words: [...wordsOf(items), String(MARKED).slice(0, -1)] };
}

/** Opens a sink that is refused, writes and flushes if it still opens, and answers what it said. */
async function beDenied(bench: SinkBench, writing: Writing): Promise<unknown> {
  for (const step of [() => writing.open(), () => writing.write(bench.items(0, 3)), () => writing.settle()]) {
    const failure = await failureOf(step());
    if (failure !== undefined) return failure.error;
  }
  assert.fail('It was to be refused, and opened, wrote and flushed.');
}

function denied(bench: SinkBench): Promise<Writing> {
  const { harness } = bench;
  assert(harness.createDenied !== undefined);
  return bench.writing(harness.createDenied(bench.place, SECRET));
}

/** Aborts in the middle of what is begun: it settles soon. */
async function assertSettles(
  bench: SinkBench,
  writing: Writing,
  what: string,
  begun: Promise<unknown>,
): Promise<void> {
  const ended = Promise.allSettled([begun]);
  await turns();
  writing.abort();
  await bench.soon(`${what}, after its signal had aborted,`, ended);
}

/** An open that is refused, and the close that follows. What it leaves is looked for when the bench is cleared. */
async function closeDenied(bench: SinkBench): Promise<void> {
  const writing = await denied(bench);
  const error = await beDenied(bench, writing);
  writing.abort();
  await writing.close(error);
}

export const failingChecks: readonly SinkCheck[] = [
  sinkCheck('K1', 'closes after an open that failed', closeDenied, canDeny),

  sinkCheck(
    'K6',
    'has written nothing where a write failed, if it is atomic, and nothing torn if it is not',
    async (bench) => {
      const writing = await bench.writing();
      await writing.open();
      await writing.write(bench.items(0, 3));
      await writing.settle();
      await bench.harness.interrupt?.(bench.place);
      const failure = await failureOf(writing.write(bench.items(3, 3 + writing.size(5))));
      const flushed = await failureOf(writing.settle());
      const what = 'after a write that failed';
      if (failure === undefined || flushed !== undefined) {
        assertHolds(await bench.read(), bench.keysOf(writing.durable()), what);
        return;
      }
      await writing.close();
      const read = await bench.read();
      assertHolds(read, bench.keys(0, 3), what);
      assertOnly(read, writing.sink.atomic === true ? bench.keys(0, 3) : bench.keysOf(writing.tried()), what);
    },
    canInterrupt,
  ),

  sinkCheck(
    'K6',
    'takes a write that failed once more',
    async (bench) => {
      const writing = await bench.writing();
      await writing.open();
      await writing.write(bench.items(0, 3));
      await bench.harness.interrupt?.(bench.place);
      const batch = bench.items(3, 3 + writing.size(5));
      const again = await writeUntilTaken(bench, writing, batch);
      await writing.write(bench.items(8, 10));
      for (let attempt = 1; (await failureOf(writing.flush())) !== undefined; attempt += 1) {
        // What was accepted and is lost is final.
        if (writing.writes.some(({ isLost }) => isLost)) break;
        assert(attempt < ATTEMPTS, 'It can be flushed no more after one thing that it asked for failed.');
      }
      const lost = await failureOf(writing.settle());
      await writing.close(lost?.error);
      const read = await bench.read();
      if (lost !== undefined) {
        // The run fails then, and goes on from what is durable.
        assert(
          writing.writes.some(({ isLost }) => isLost),
          'A flush failed, and nothing says that it is lost.',
        );
        assertHolds(read, bench.keysOf(writing.durable()), 'after a write that was lost');
        return;
      }
      const due = [...bench.keys(0, 3), ...bench.keysOf(batch), ...bench.keys(8, 10)];
      const what = 'a write that failed, and was repeated';
      assertHolds(read, due, what);
      assertOnly(read, due, what, writing.sink.atomic !== true && again);
    },
    canInterrupt,
  ),

  sinkCheck(
    'K9',
    'takes another write beside one that took too long',
    async (bench) => {
      const writing = await bench.writing();
      await writing.open();
      await writing.write(bench.items(0, 3));
      const release = await bench.harness.stall?.(bench.place);
      const deadline = bench.leaks.controller();
      const batch = bench.items(3, 3 + writing.size(5));
      const late = writing.begin(batch, { signal: deadline.signal });
      await turns();
      if (late.isAccepted) {
        await release?.();
        await writing.finish();
        assertSame(
          await bench.read(),
          [...bench.keys(0, 3), ...bench.keysOf(batch)],
          'a sink that does not wait',
        );
        return;
      }
      deadline.abort(new Error('The write took too long.'));
      const second = writing.begin(batch, { attempt: 2 });
      await release?.();
      const failure = await failureOf(bench.soon('the second write', second.accepted));
      if (failure !== undefined) await writeUntilTaken(bench, writing, batch, 3);
      await writing.rest();
      await writing.finish();
      const due = [...bench.keys(0, 3), ...bench.keysOf(batch)];
      const read = await bench.read();
      // The first may still land.
      assertHolds(read, due, 'a write beside one that took too long');
      assertOnly(read, due, 'a write beside one that took too long', true);
    },
    canStall,
  ),

  sinkCheck('K17', 'settles a write and an open soon when their signal aborts', async (bench) => {
    const opening = await bench.writing();
    await assertSettles(bench, opening, 'open', opening.startOpen());
    await opening.close(new Error('The run was aborted.'));
    const early = await bench.writing();
    early.abort();
    await bench.soon('open with a signal that had aborted', Promise.allSettled([early.startOpen()]));
    await early.close(new Error('The run was aborted.'));
    const writing = await bench.writing();
    await writing.open();
    await assertSettles(bench, writing, 'write', writing.begin(bench.items(0, writing.size(20))).accepted);
    await writing.close(new Error('The run was aborted.'));
    const flushing = await bench.writing();
    await flushing.open();
    await flushing.write(bench.items(20, 23));
    await assertSettles(bench, flushing, 'flush', flushing.startFlush());
    await flushing.close(new Error('The run was aborted.'));
  }),

  ...(['open', 'write', 'flush'] as const).map((step) =>
    sinkCheck(
      'K17',
      `settles ${step === 'open' ? 'an open' : `a ${step}`} that gets no answer soon when its signal aborts`,
      async (bench) => {
        const writing = await bench.writing();
        if (step !== 'open') await writing.open();
        if (step === 'flush') await writing.write(bench.items(0, 3));
        const release = await bench.harness.stall?.(bench.place);
        try {
          const begun = {
            open: () => writing.startOpen(),
            write: () => begin(bench, writing),
            flush: () => writing.startFlush(),
          };
          await assertSettles(bench, writing, step, begun[step]());
        } finally {
          await release?.();
        }
        // A close is not asked to be there before its place is: what it has to take back may be behind what hangs.
        await writing.close(new Error('The run was aborted.'));
        // What was given up is over then, and is in nobody's way.
        await turns(10);
        const next = await bench.writing();
        await next.open();
        await next.write(bench.items(20, 23));
        await next.finish();
        assertHolds(await bench.read(), bench.keys(20, 23), 'of one that came after one that was given up');
      },
      canStall,
    ),
  ),

  sinkCheck(
    'K17',
    'does not hold a run whose drain passes its deadline',
    async (bench) => {
      const source = new ItemSource(bench, new Map([['', 1000]]));
      const pipeline = new ConcurrentPipeline(source, await bench.harness.create(bench.place));
      pipeline
        .bufferSize(20)
        .maxConcurrency(2)
        .closeMs(bench.deadlineMs / 5);
      const run = pipeline.run({ signal: bench.leaks.controller().signal });
      const ended = failureOf(run);
      await bench.soon('the first items', source.handedOut(10));
      const release = await bench.harness.stall?.(bench.place);
      try {
        await turns();
        const draining = failureOf(pipeline.drain({ deadlineMs: 20 }));
        const failure = await bench.soon('the end of a run whose drain passed its deadline', ended);
        await draining;
        const { position } = source;
        await release?.();
        if (failure !== undefined) {
          const { code } = failure.error as { code?: unknown };
          assert.equal(code, 'SW_DRAIN_TIMEOUT', 'The run ended with another error than that of its drain.');
        } else {
          // What asks the place nothing may be done in time: then all of it is there.
          const read = await bench.read();
          assertSame(read, bench.keys(0, source.count), 'a run that ended well, drained in time');
        }
        assertHolds(
          await bench.read(),
          bench.keys(0, position),
          'what was committed by a run that was given up',
        );
      } finally {
        await release?.();
      }
    },
    canStall,
  ),

  ...lifeChecks(),

  sinkCheck('K18', 'leaves nothing after an open that failed', closeDenied, canDeny),

  sinkCheck(
    'K19',
    'says with a code that it is refused, and names no secret and no item',
    async (bench) => {
      const writing = await denied(bench);
      const error = await beDenied(bench, writing);
      assertTells(error, [SECRET], 'when it is refused');
      await failureOf(writing.close(error));
    },
    canDeny,
  ),

  sinkCheck(
    'K19',
    'names no item where a write fails',
    async (bench) => {
      const writing = await bench.writing();
      await writing.open();
      await bench.harness.interrupt?.(bench.place);
      const { items, words } = markedItems(bench, writing.size(5));
      const failure = (await failureOf(writing.write(items))) ?? (await failureOf(writing.settle()));
      if (failure !== undefined) assertTells(failure.error, words, 'when a write fails');
    },
    canInterrupt,
  ),

  sinkCheck(
    'K19',
    'names no item where one cannot be written',
    async (bench) => {
      const writing = await bench.writing();
      await writing.open();
      const { items, words } = markedItems(bench, 2);
      const failure = await failureOf(writing.write([items[0], badItem(bench), items[1]]));
      assert(failure !== undefined, 'It wrote an item that cannot be written.');
      assertTells(failure.error, [SECRET, ...words], 'when an item cannot be written');
    },
    hasBadItem,
  ),

  sinkCheck(
    'K20',
    'blames an item that cannot be written, and names it by its place in the batch',
    async (bench) => {
      const writing = await bench.writing();
      await writing.open();
      await writing.write(bench.items(0, 2));
      const failure = await failureOf(
        writing.write([...bench.items(2, 4), badItem(bench), ...bench.items(4, 5)]),
      );
      assert(failure !== undefined, 'It wrote an item that cannot be written.');
      const { retryable, failed } = says(failure.error);
      assert.equal(retryable, false, 'The error does not say retryable: false.');
      if (failed !== undefined)
        assert.deepEqual(failed, [2], 'It names other items than the one that is bad.');
      await writing.write(bench.items(2, 5), { attempt: 2 });
      await writing.finish();
      const due = bench.keys(0, 5);
      const read = await bench.read();
      assertHolds(read, due, 'the rest of a batch with a bad item');
      assertOnly(read, due, 'the rest of a batch with a bad item', writing.sink.atomic !== true);
    },
    hasBadItem,
  ),

  sinkCheck(
    'K20',
    'does not let an item that cannot be written keep the others of a run',
    async (bench) => {
      const { harness } = bench;
      const letters = collect<DeadLetter>();
      const source = new ItemSource(bench, new Map([['', 30]]), (index) =>
        index === 13 ? badItem(bench) : undefined,
      );
      const run = new ConcurrentPipeline(source, await harness.create(bench.place))
        .bufferSize(20)
        .deadLetter(letters)
        .run();
      await bench.soon('a run with a bad item', run);
      assert.equal(
        letters.items.length,
        1,
        `${letters.items.length} items went to the dead letter, and one is bad.`,
      );
      const due = [...bench.keys(0, 13), ...bench.keys(14, 30)];
      assertHolds(await bench.read(), due, 'the others of a run with a bad item');
    },
    hasBadItem,
  ),
];

function badItem(bench: SinkBench): unknown {
  assert(bench.harness.badItem !== undefined);
  return bench.harness.badItem(SECRET);
}

function begin(bench: SinkBench, writing: Writing): Promise<void> {
  return writing.begin(bench.items(0, writing.size(20))).accepted;
}

/** As a run would: what is named as failed, or all of it, again. Answers whether it had failed. */
async function writeUntilTaken(
  bench: SinkBench,
  writing: Writing,
  batch: readonly unknown[],
  first = 1,
): Promise<boolean> {
  let rest = batch;
  for (let attempt = first; ; attempt += 1) {
    const write = writing.begin(rest, { attempt });
    const failure = await failureOf(bench.soon('write', write.accepted));
    if (failure === undefined) return attempt > first;
    const { failed } = says(failure.error);
    if (writing.sink.atomic !== true && Array.isArray(failed))
      rest = failed.map((index) => rest[index as number]);
    assert(attempt < ATTEMPTS, 'It takes no write any more after one thing that it asked for failed.');
  }
}

/** What a sink has been through when it is closed. */
function lifeChecks(): SinkCheck[] {
  const lives: readonly [string, (bench: SinkBench, writing: Writing) => Promise<void>][] = [
    [
      'it finished',
      async (bench, writing) => {
        await writing.write(bench.items(0, 3));
        await writing.finish();
      },
    ],
    ['it finished, and nothing was written', (_, writing) => writing.finish()],
    [
      'it was abandoned, and nothing was written',
      async (_, writing) => {
        writing.abort();
        await writing.close(new Error('The run was aborted.'));
      },
    ],
    [
      'it was abandoned with what it had accepted',
      async (bench, writing) => {
        await writing.write(bench.items(0, 3));
        writing.abort();
        await writing.close(new Error('The run was aborted.'));
      },
    ],
    [
      'it was abandoned while a write was outstanding',
      async (bench, writing) => {
        writing.begin(bench.items(0, writing.size(20)));
        writing.abort();
        await writing.close(new Error('The run was aborted.'));
        await writing.rest();
      },
    ],
  ];
  return lives.map(([what, live]) =>
    sinkCheck('K18', `leaves nothing when ${what}`, async (bench) => {
      const writing = await bench.writing();
      await writing.open();
      await live(bench, writing);
    }),
  );
}
