/** Checks of what a sink does with what it is given while all goes well, and of what it leaves behind. */

import assert from 'node:assert/strict';
import { failureOf, type SinkBench, type SinkCheck, sinkCheck, turns, type Writing } from './sink-bench.ts';
import { assertHolds, assertInOrder, assertOnly, assertSame, assertWhole } from './sink-items.ts';

/** Batches of these sizes, one after the other. */
const SIZES = [3, 1, 4, 2, 5];
const TOTAL = 15;

/** What is in the middle of a write: so many turns after it began. */
const MOMENTS = [0, 1, 2, 3, 5, 8];
/** Items of one moment are no others': its first is so many behind. */
const APART = 100;

/** The most writes at once that a check tries of a sink that names no bound. */
const AT_ONCE = 4;

/** Writes items from one number on, in batches of the sizes above; answers the number after the last. */
async function writeAll(bench: SinkBench, writing: Writing, from = 0): Promise<number> {
  let next = from;
  for (const size of SIZES) {
    await writing.write(bench.items(next, next + size));
    next += size;
  }
  return next;
}

/** What was written so far, by writes. */
function wholesOf(bench: SinkBench, writing: Writing): string[][] {
  return writing.writes.map(({ batch }) => bench.keysOf(batch));
}

/** What sinks before it left in the place, and all that any was given: of what was let go something may still land. */
interface Earlier {
  readonly before?: readonly string[];
  readonly tried?: readonly unknown[];
}

/** Of what a sink was given and abandoned: what is durable is there, and the rest as it has to be. */
async function assertLeft(
  bench: SinkBench,
  writing: Writing,
  durable: readonly unknown[],
  what: string,
  { before = [], tried = writing.tried() }: Earlier = {},
): Promise<void> {
  const read = await bench.read();
  assertHolds(read, [...before, ...bench.keysOf(durable)], what);
  assertOnly(read, bench.keysOf(tried), what);
  if (writing.sink.atomic === true) assertWhole(read, wholesOf(bench, writing), what);
}

/** A sink that an earlier one of the place came before: what ends the earlier one. */
const ENDS: readonly [string, (bench: SinkBench, writing: Writing) => Promise<void>][] = [
  ['finished', (_, writing) => writing.finish()],
  [
    'abandoned',
    async (_, writing) => {
      writing.abort();
      await writing.close(new Error('The run was aborted.'));
    },
  ],
  ['killed', (bench) => bench.kill()],
];

export const writingChecks: readonly SinkCheck[] = [
  sinkCheck('K2', 'takes as many writes at once as it says', async (bench) => {
    const writing = await bench.writing();
    const { concurrency = AT_ONCE } = writing.sink;
    assert(Number.isInteger(concurrency) && concurrency > 0, `Its concurrency is ${concurrency}.`);
    const atOnce = Math.min(concurrency, 16);
    await writing.open();
    let next = 0;
    for (let round = 0; round < 3; round += 1) {
      const writes = Array.from({ length: atOnce }, () => {
        const size = writing.size(3);
        next += size;
        return writing.begin(bench.items(next - size, next));
      });
      for (const { accepted } of writes) await bench.soon('one of the writes at once', accepted);
    }
    await writing.finish();
    assertSame(await bench.read(), bench.keys(0, next), `${atOnce} writes at once`);
  }),

  sinkCheck('K3', 'leaves the batches that it is given as they are', async (bench) => {
    const writing = await bench.writing();
    await writing.open();
    const given: { batch: readonly unknown[]; items: readonly unknown[]; keys: readonly string[] }[] = [];
    let next = 0;
    for (const [index, size] of SIZES.entries()) {
      const batch = bench.items(next, next + writing.size(size));
      next += batch.length;
      given.push({ batch, items: [...batch], keys: bench.keysOf(batch) });
      // A batch that is frozen tells by itself, one that is not by what is in it later.
      await writing.write(index % 2 === 0 ? Object.freeze(batch) : batch);
    }
    await writing.finish();
    for (const { batch, items, keys } of given) {
      assert.equal(batch.length, items.length, 'It changed the length of a batch.');
      assert(
        batch.every((item, at) => Object.is(item, items[at])),
        'It changed what is in a batch.',
      );
      assert.deepEqual(bench.keysOf(batch), keys, 'It changed an item of a batch.');
    }
    assertSame(await bench.read(), bench.keys(0, next), 'batches, some of them frozen');
  }),

  sinkCheck(
    'K4',
    'says nothing of a write only when it can be read back, also after a kill',
    async (bench) => {
      const writing = await bench.writing();
      await writing.open();
      for (const size of SIZES) {
        await writing.write(bench.items(writing.tried().length, writing.tried().length + size));
        const done = writing.writes.filter(({ answered }) => answered === 'nothing');
        assertHolds(
          await bench.read(),
          bench.keysOf(done.flatMap(({ batch }) => [...batch])),
          'a write that returned nothing',
        );
      }
      const done = writing.writes.filter(({ answered }) => answered === 'nothing');
      await bench.kill();
      await assertLeft(
        bench,
        writing,
        done.flatMap(({ batch }) => [...batch]),
        'a kill after writes that returned',
      );
    },
  ),

  sinkCheck('K5', 'has what became durable where it can be read back, also after a kill', async (bench) => {
    const writing = await bench.writing();
    await writing.open();
    const seen: Promise<void>[] = [];
    let next = 0;
    for (const size of SIZES) {
      await writing.write(bench.items(next, next + size));
      next += size;
      const write = writing.writes.at(-1);
      // At the very moment at which it says so.
      const look = write?.durable.then(async () =>
        assertHolds(
          await bench.read(),
          bench.keysOf(write.batch),
          'a write, when it says that it is durable',
        ),
      );
      look?.catch(() => {});
      if (look !== undefined) seen.push(look);
    }
    await writing.settle();
    await bench.soon('reading what is durable', Promise.all(seen));
    const durable = writing.durable();
    assert.equal(durable.length, next);
    await bench.kill();
    await assertLeft(bench, writing, durable, 'a kill when all was durable');
  }),

  sinkCheck('K7', 'has made all that it accepted durable when a flush returns', async (bench) => {
    const writing = await bench.writing();
    await writing.open();
    await writing.flush();
    let next = 0;
    for (let round = 0; round < 3; round += 1) {
      await writing.write(bench.items(next, next + 3));
      await writing.write(bench.items(next + 3, next + 4));
      next += 4;
      if (writing.sink.flush === undefined) await writing.settle();
      else await writing.flush();
      // What it has resolved is known: but no turn, in which what it did not wait for could come.
      for (let count = 0; count < 20; count += 1) await Promise.resolve();
      const late = writing.writes.filter(({ isDurable }) => !isDurable).length;
      assert.equal(late, 0, `${late} writes are not durable when the flush has returned.`);
      assertHolds(await bench.read(), bench.keys(0, next), 'what was flushed');
    }
    await writing.flush();
    await bench.kill();
    await assertLeft(bench, writing, writing.tried(), 'a kill after a flush');
  }),

  sinkCheck('K8', 'shows all that it was given when it has closed, and nothing after', async (bench) => {
    const writing = await bench.writing();
    await writing.open();
    const count = await writeAll(bench, writing);
    await writing.finish();
    assertSame(await bench.read(), bench.keys(0, count), 'after a close');
    await turns(10);
    assertSame(await bench.read(), bench.keys(0, count), 'some turns after a close');
  }),

  sinkCheck('K10', 'settles what it defers itself, each piece once', async (bench) => {
    const writing = await bench.writing();
    await writing.open();
    await writeAll(bench, writing);
    await writing.finish();
    await turns();
    assert.deepEqual(writing.breaches(), []);
  }),

  sinkCheck('K15', 'has every item as it was given, in the order of the writes', async (bench) => {
    const writing = await bench.writing();
    await writing.open();
    let next = 0;
    for (const size of [1, 2, 1000, 1, 7]) {
      await writing.write(bench.items(next, next + size));
      next += size;
    }
    await writing.finish();
    assertInOrder(await bench.read(), bench.keys(0, next), 'batches of 1, 2 and 1000');
  }),

  sinkCheck(
    'K16',
    'leaves nothing half-visible of what is accepted when it is closed with a reason',
    async (bench) => {
      const writing = await bench.writing();
      await writing.open();
      await writing.write(bench.items(0, 3));
      await writing.settle();
      await writing.write(bench.items(3, 7));
      await writing.write(bench.items(7, 8));
      const durable = writing.durable();
      writing.abort();
      await writing.close(new Error('The run was aborted.'));
      await assertLeft(bench, writing, durable, 'a close with a reason');
    },
  ),

  sinkCheck(
    'K16',
    'leaves nothing half-visible of a write that is outstanding when it is closed',
    async (bench) => {
      const tried: unknown[] = [];
      for (const after of MOMENTS) {
        const before = await bench.read();
        const writing = await bench.writing();
        await writing.open();
        const from = APART * (after + 1);
        await writing.write(bench.items(from, from + 3));
        writing.begin(bench.items(from + 3, from + 3 + writing.size(20)));
        await turns(after);
        writing.abort();
        await writing.rest();
        const durable = writing.durable();
        await writing.close(new Error('The run was aborted.'));
        tried.push(...writing.tried());
        const earlier = { before, tried };
        await assertLeft(bench, writing, durable, 'a close while a write was outstanding', earlier);
      }
    },
  ),

  sinkCheck(
    'K16',
    'leaves nothing half-visible where it is killed in the middle of a write or a flush',
    async (bench) => {
      const tried: unknown[] = [];
      for (const point of ['write', 'flush'] as const) {
        for (const after of MOMENTS) {
          const before = await bench.read();
          const writing = await bench.writing();
          await writing.open();
          const from = APART * (after + (point === 'write' ? 1 : 101));
          await writing.write(bench.items(from, from + 3));
          if (point === 'write') writing.begin(bench.items(from + 3, from + 3 + writing.size(20)));
          else writing.startFlush().catch(() => {});
          await turns(after);
          const durable = writing.durable();
          await bench.kill();
          tried.push(...writing.tried());
          const earlier = { before, tried };
          await assertLeft(bench, writing, durable, `a kill in the middle of a ${point}`, earlier);
        }
      }
    },
  ),

  ...ENDS.map(([end, apply]) =>
    sinkCheck(
      'K22',
      `opens on what one that was ${end} has left, and destroys nothing of it`,
      async (bench) => {
        const first = await bench.writing();
        await first.open();
        await writeAll(bench, first);
        await first.settle();
        const durable = bench.keysOf(first.durable());
        await apply(bench, first);

        // One that does nothing, and one that is abandoned, take nothing away.
        const idle = await bench.writing();
        await idle.open();
        await idle.finish();
        assertHolds(await bench.read(), durable, 'after one that opened and closed');
        const abandoned = await bench.writing();
        await abandoned.open();
        await abandoned.write(bench.items(TOTAL, TOTAL + 3));
        abandoned.abort();
        await abandoned.close(new Error('The run was aborted.'));
        assertHolds(await bench.read(), durable, 'after one that was abandoned');

        const second = await bench.writing();
        await second.open();
        await second.write(bench.items(TOTAL + 3, TOTAL + 9));
        await second.finish();
        const read = await bench.read();
        assertHolds(read, durable, 'after one that finished');
        assertHolds(read, bench.keys(TOTAL + 3, TOTAL + 9), 'of one that came later');
        assertOnly(read, bench.keys(0, TOTAL + 9), 'after all');
      },
    ),
  ),

  sinkCheck('K22', 'opens again where the one before was killed before its first write', async (bench) => {
    const first = await bench.writing();
    await first.open();
    await bench.kill();
    const second = await bench.writing();
    await second.open();
    await writeAll(bench, second);
    await second.finish();
    assertInOrder(await bench.read(), bench.keys(0, TOTAL), 'the second');
    assert.equal(await failureOf(bench.kill()), undefined);
  }),
];
