/** Checks of a sink that keeps positions with its items: each exactly once, whatever stops it, at any moment. */

import assert from 'node:assert/strict';
import {
  ConcurrentPipeline,
  type DeadLetter,
  collect,
  MemoryCheckpointStore,
  type Sink,
} from '@streamweld/core';
import {
  CHECKPOINT,
  failureOf,
  type SinkBench,
  type SinkCheck,
  sinkCheck,
  turns,
  type Writing,
} from './sink-bench.ts';
import type { AnySinkHarness } from './sink-harness.ts';
import { assertHolds, assertInOrder, assertOnly, assertSame } from './sink-items.ts';
import { firstOf, ItemSource } from './sink-source.ts';
import { codeOf } from './source-errors.ts';

/** Two lanes, each of so many items. */
const LANES: ReadonlyMap<string, number> = new Map([
  ['left', 24],
  ['right', 24],
]);
const OPTIONS = { checkpoint: CHECKPOINT };

type Step = readonly [string, (writing: Writing) => Promise<unknown>];

const keeps = (harness: AnySinkHarness): boolean => harness.createKeeping !== undefined;

function keepingCheck(
  rule: string,
  sentence: string,
  run: (bench: SinkBench) => Promise<void>,
  applies: (harness: AnySinkHarness) => boolean = () => true,
): SinkCheck {
  return sinkCheck(rule, sentence, run, (harness) => keeps(harness) && applies(harness));
}

/** Items of one lane, from one place up to another. */
function itemsIn(bench: SinkBench, lane: string, from: number, to: number): unknown[] {
  const first = firstOf(LANES, lane);
  return bench.items(first + from, first + to);
}

function keysIn(bench: SinkBench, lane: string, from: number, to: number): string[] {
  return bench.keysOf(itemsIn(bench, lane, from, to));
}

function allKeys(bench: SinkBench): string[] {
  return [...LANES].flatMap(([lane, end]) => keysIn(bench, lane, 0, end));
}

/** The calls of a whole run by hand: writes that move one lane or both, positions without items, flushes, a close. */
function script(bench: SinkBench): Step[] {
  const at = new Map([...LANES.keys()].map((lane) => [lane, 0]));
  const step = (name: string, counts: Readonly<Record<string, number>>): Step => {
    const items: unknown[] = [];
    const positions = new Map<string, unknown>();
    for (const [lane, count] of Object.entries(counts)) {
      const from = at.get(lane) ?? 0;
      items.push(...itemsIn(bench, lane, from, from + count));
      at.set(lane, from + count);
      positions.set(lane, from + count);
    }
    return [name, (writing) => writing.begin(items, { positions }).accepted];
  };
  const steps: Step[] = [
    step('the first write', { left: 3 }),
    step('the second write', { right: 1 }),
    step('a write of two lanes', { left: 4, right: 2 }),
    ['a flush', (writing) => writing.flush()],
    step('a write after a flush', { right: 5 }),
    ['the last flush', (writing) => writing.flush()],
  ];
  return steps;
}

/** The positions and the items that a place holds are those of one moment; and what stands in it goes on from there. */
async function assertOneStep(bench: SinkBench, what: string): Promise<void> {
  const next = await bench.keeping();
  await next.open(OPTIONS);
  const positions = await next.positions();
  const ahead = next.sink.ahead?.() ?? new Map<string, unknown>();
  const read = await bench.read();
  for (const lane of positions.keys())
    assert(LANES.has(lane), `${what}: it holds a lane that nobody gave it: ${lane}.`);
  const least: string[] = [];
  const most: string[] = [];
  for (const lane of LANES.keys()) {
    const position = (positions.get(lane) ?? 0) as number;
    least.push(...keysIn(bench, lane, 0, position));
    most.push(...keysIn(bench, lane, 0, (ahead.get(lane) ?? position) as number));
  }
  assertHolds(read, least, `${what}: up to the positions that it holds`);
  assertOnly(read, most, `${what}: up to the positions that it holds`);
  await next.close(new Error('The run was aborted.'));
}

/** A real run from where the sink stands to the end: then there is every item, once. */
async function finish(bench: SinkBench, what: string): Promise<void> {
  const { harness } = bench;
  assert(harness.createKeeping !== undefined);
  const run = new ConcurrentPipeline<unknown>(
    new ItemSource(bench, LANES),
    await harness.createKeeping(bench.place),
  )
    .bufferSize(40)
    .checkpoint(new MemoryCheckpointStore(), CHECKPOINT)
    .run({ signal: bench.leaks.controller().signal });
  await bench.soon(`${what}: the run that goes on`, run);
  const read = await bench.read();
  for (const lane of LANES.keys()) {
    const due = keysIn(bench, lane, 0, LANES.get(lane) ?? 0);
    const known = new Set(due);
    assertInOrder(
      read.filter((key) => known.has(key)),
      due,
      `${what}: lane '${lane}' after the run that went on`,
    );
  }
  assertSame(read, allKeys(bench), `${what}: after the run that went on`);
}

/** Each moment of a run at which it may be killed, on a fresh place. */
function killChecks(): SinkCheck[] {
  // Made without a bench to be counted: a step touches it only when it is done.
  const names = [
    'the open',
    'the first write',
    'the second write',
    'a write of two lanes',
    'a flush',
    'a write after a flush',
    'the last flush',
  ];
  return names.flatMap((name, moment) =>
    (['after', 'in the middle of'] as const).map((when) =>
      keepingCheck(
        'K11',
        `holds items and positions in one step where it is killed ${when} ${name}`,
        async (bench) => {
          const writing = await bench.keeping();
          const steps: Step[] = [['the open', () => writing.open(OPTIONS)], ...script(bench)];
          for (const [, step] of steps.slice(0, moment)) await bench.soon('a step', step(writing));
          const [, last] = steps[moment] as Step;
          const begun = last(writing);
          begun.catch(() => {});
          if (when === 'after') await bench.soon(name, begun);
          else await turns(moment % 3);
          await bench.kill();
          if (bench.harness.kill === undefined) await bench.soon(name, begun);
          await assertOneStep(bench, `killed ${when} ${name}`);
          await finish(bench, `killed ${when} ${name}`);
        },
      ),
    ),
  );
}

/**
 * What it passes on may be in one place and not in another: at each moment of a write, and where one of them fails. What
 * it then says of itself is true, and a run goes on from it.
 */
function aheadChecks(): SinkCheck[] {
  const until = async (
    bench: SinkBench,
    what: string,
    stop: (writing: Writing, begun: Promise<void>) => Promise<unknown>,
  ): Promise<void> => {
    const writing = await bench.keeping();
    await writing.open(OPTIONS);
    await writing.write(itemsIn(bench, 'left', 0, 4), { positions: new Map([['left', 4]]) });
    const items = [...itemsIn(bench, 'left', 4, 9), ...itemsIn(bench, 'right', 0, 3)];
    const positions = new Map([
      ['left', 9],
      ['right', 3],
    ]);
    await stop(writing, writing.begin(items, { positions }).accepted);
    await assertOneStep(bench, what);
    await finish(bench, what);
  };
  return [
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((count) =>
      keepingCheck(
        'K13',
        `tells truly where each lane stands, killed ${count} ${count === 1 ? 'turn' : 'turns'} after a write began`,
        (bench) =>
          until(bench, 'killed in the middle of a write', async (_, begun) => {
            begun.catch(() => {});
            await turns(count);
            await bench.kill();
            if (bench.harness.kill === undefined) await bench.soon('a write', begun);
          }),
      ),
    ),
    ...[0, 1, 2, 3, 4, 5].map((count) =>
      keepingCheck(
        'K13',
        `tells truly where each lane stands, after what it asked ${count} turns after a write began had failed`,
        (bench) =>
          until(bench, 'a write that failed in the middle', async (writing, begun) => {
            const failed = failureOf(begun);
            await turns(count);
            await bench.harness.interrupt?.(bench.place);
            const next = { positions: new Map([['left', 12]]) };
            const failure =
              (await bench.soon('a write', failed)) ??
              // It was over before: then it is the next that fails.
              (await failureOf(writing.write(itemsIn(bench, 'left', 9, 12), next)));
            writing.abort();
            await writing.close(failure?.error ?? new Error('The run was aborted.'));
          }),
        (harness) => harness.interrupt !== undefined,
      ),
    ),
  ];
}

export const keepingChecks: readonly SinkCheck[] = [
  sinkCheck('K11', 'is put to these checks where it says that it keeps positions', async (bench) => {
    const writing = await bench.writing();
    if (writing.sink.keepsPositions === true)
      assert(keeps(bench.harness), 'It keepsPositions: give its harness createKeeping.');
    if (!keeps(bench.harness)) return;
    const keeping = await bench.keeping();
    assert.equal(keeping.sink.keepsPositions, true, 'What createKeeping made does not keepsPositions.');
    assert.equal(typeof keeping.sink.positions, 'function', 'It keepsPositions and has no positions().');
  }),

  keepingCheck(
    'K11',
    'holds nothing at first, then the positions of what it wrote, as they were given',
    async (bench) => {
      const first = await bench.keeping();
      await first.open(OPTIONS);
      assert.deepEqual([...(await first.positions())], [], 'It holds positions before anything was written.');
      const place = { file: 'a', offset: 12, seen: [1, 2] };
      await first.write(bench.items(0, 3), { positions: new Map([['left', place]]) });
      await first.write(bench.items(3, 4), { positions: new Map([['right', 'x']]) });
      await first.finish();
      const second = await bench.keeping();
      await second.open(OPTIONS);
      const positions = new Map(await second.positions());
      assert.deepEqual(
        positions,
        new Map<string, unknown>([
          ['left', place],
          ['right', 'x'],
        ]),
        'It holds other positions than it was given.',
      );
      await second.finish();
      assertSame(await bench.read(), bench.keys(0, 4), 'items that were kept with positions');
    },
  ),

  keepingCheck('K11', 'keeps the positions of one name from another', async (bench) => {
    const first = await bench.keeping();
    await first.open(OPTIONS);
    await first.write(bench.items(0, 3), { positions: new Map([['left', 3]]) });
    await first.finish();
    const second = await bench.keeping();
    const failure = await failureOf(second.open({ checkpoint: 'another' }));
    if (failure === undefined) assert.deepEqual([...(await second.positions())], []);
    // A place may belong to one name; then it says so.
    else codeOf(failure.error, 'when it is opened with another name');
    await second.close(failure?.error ?? new Error('The run was aborted.'));
    await assertStill(bench, new Map([['left', 3]]), bench.keys(0, 3));
  }),

  ...killChecks(),

  keepingCheck(
    'K11',
    'holds items and positions in one step where a run is aborted, and goes on from there',
    async (bench) => {
      const { harness } = bench;
      for (const count of [5, 20, 33]) {
        const source = new ItemSource(bench, LANES);
        const controller = bench.leaks.controller();
        assert(harness.createKeeping !== undefined);
        const run = new ConcurrentPipeline<unknown>(source, await harness.createKeeping(bench.place))
          .bufferSize(40)
          .closeMs(bench.deadlineMs / 5)
          .checkpoint(new MemoryCheckpointStore(), CHECKPOINT)
          .run({ signal: controller.signal });
        const ended = failureOf(run);
        await bench.soon('items, or the end of the run,', Promise.any([source.handedOut(count), ended]));
        controller.abort(new Error('The run was aborted.'));
        await bench.soon('the end of a run that was aborted', ended);
        await assertOneStep(bench, 'aborted');
      }
      await finish(bench, 'aborted');
    },
  ),

  keepingCheck(
    'K12',
    'is durable when a write returns: it neither answers { durable } nor defers',
    async (bench) => {
      const writing = await bench.keeping();
      await writing.open(OPTIONS);
      await writing.write(bench.items(0, 3), { positions: new Map([['left', 3]]) });
      const [write] = writing.writes;
      assert.notEqual(write?.answered, 'durable', 'It answered { durable }.');
      // One that passes its items on may (K13).
      if (writing.sink.ahead === undefined) assert.notEqual(write?.answered, 'defer', 'It deferred.');
      await writing.finish();
    },
  ),

  keepingCheck(
    'K12',
    'writes each item once where a write failed, and was repeated with the same positions',
    async (bench) => {
      const { harness } = bench;
      const writing = await bench.keeping();
      await writing.open(OPTIONS);
      await writing.write(itemsIn(bench, 'left', 0, 3), { positions: new Map([['left', 3]]) });
      await harness.interrupt?.(bench.place);
      const items = itemsIn(bench, 'left', 3, 8);
      const positions = new Map([['left', 8]]);
      for (
        let attempt = 1;
        (await failureOf(writing.write(items, { positions, attempt }))) !== undefined;
        attempt += 1
      )
        assert(attempt < 5, 'It takes no write any more after one thing that it asked for failed.');
      await writing.finish();
      await assertStill(bench, positions, keysIn(bench, 'left', 0, 8));
      await finish(bench, 'a write that was repeated');
    },
    (harness) => harness.interrupt !== undefined,
  ),

  keepingCheck(
    'K12',
    'writes the others once, and their positions, where an item cannot be written',
    async (bench) => {
      const { harness } = bench;
      assert(harness.createKeeping !== undefined && harness.badItem !== undefined);
      const bad = harness.badItem('planted-secret-7f3a9c');
      const letters = collect<DeadLetter>();
      const lanes = new Map([['left', 24]]);
      const run = new ConcurrentPipeline<unknown>(
        new ItemSource(bench, lanes, (index) => (index === 13 || index === 23 ? bad : undefined)),
        await harness.createKeeping(bench.place),
      )
        .bufferSize(40)
        .deadLetter(letters)
        .checkpoint(new MemoryCheckpointStore(), CHECKPOINT)
        .run();
      await bench.soon('a run with bad items', run);
      assert.equal(letters.items.length, 2);
      const due = [...keysIn(bench, 'left', 0, 13), ...keysIn(bench, 'left', 14, 23)];
      // The last of it is no item: that the lane is at its end is only kept.
      const next = await bench.keeping();
      if (next.sink.keep !== undefined) await assertStill(bench, new Map([['left', 24]]), due);
      else assertSame(await bench.read(), due, 'the others of a run with bad items');
    },
    (harness) => harness.badItem !== undefined,
  ),

  keepingCheck(
    'K13',
    'says how far it is ahead, where its positions are the least of several',
    async (bench) => {
      const writing = await bench.keeping();
      const ahead = (sink: Sink<unknown>): ReadonlyMap<string, unknown> => sink.ahead?.() ?? new Map();
      await writing.open(OPTIONS);
      await writing.positions();
      assert.deepEqual([...ahead(writing.sink)], [], 'It is ahead before anything was written.');
      await writing.write(itemsIn(bench, 'left', 0, 5), { positions: new Map([['left', 5]]) });
      await writing.finish();
      const next = await bench.keeping();
      await next.open(OPTIONS);
      assert.deepEqual([...(await next.positions())], [['left', 5]]);
      assert.deepEqual([...ahead(next.sink)], [], 'It is ahead after a run that ended well.');
      await next.finish();
    },
  ),

  ...aheadChecks(),

  keepingCheck(
    'K14',
    'keeps positions that moved without items, and leaves the items as they are',
    async (bench) => {
      const writing = await bench.keeping();
      await writing.open(OPTIONS);
      await writing.write(itemsIn(bench, 'left', 0, 3), { positions: new Map([['left', 3]]) });
      if (writing.sink.keep === undefined) {
        await writing.finish();
        await assertStill(bench, new Map([['left', 3]]), keysIn(bench, 'left', 0, 3));
        return;
      }
      await writing.keep(
        new Map<string, unknown>([
          ['left', 9],
          ['right', 4],
        ]),
      );
      await bench.kill();
      const kept = new Map([
        ['left', 9],
        ['right', 4],
      ]);
      await assertStill(bench, kept, keysIn(bench, 'left', 0, 3));
    },
  ),
];

/** A new sink holds these positions, and the place these items. */
async function assertStill(
  bench: SinkBench,
  positions: ReadonlyMap<string, unknown>,
  keys: readonly string[],
): Promise<void> {
  const next = await bench.keeping();
  await next.open(OPTIONS);
  const held = new Map(await next.positions());
  await next.close(new Error('The run was aborted.'));
  assert.deepEqual(held, new Map(positions), 'It holds other positions than it was given.');
  assertSame(await bench.read(), keys, 'what is kept with positions');
}
