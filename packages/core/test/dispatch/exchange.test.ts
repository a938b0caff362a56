/** Where items change hands: what is taken back, what waits, and what fits nowhere. */

import { describe, expect, it } from 'vitest';
import { range } from '../../src/builtin/sources.ts';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { DispatchStrategy } from '../../src/dispatch/strategy.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Source } from '../../src/source.ts';
import { rejection } from '../controlled.ts';
import { useVirtualClock } from '../clock.ts';
import { KeepingSink, Table } from '../keeping.ts';
import { useLeakCheck } from '../leak-check.ts';
import { GatedSink, HandFeed, numbers, Recorder, tick } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck();

const ENOUGH = new Error('enough');
const build = (options = {}) =>
  new DispatchedPipelineBuilder<number>({ name: 'hub', logger: null, ...options });
const keeper = (table: Table<number>) => new KeepingSink(table, () => time().sleep(1));

describe('A write that waits at a dispatcher', () => {
  it('is taken back with its run, and those of other runs are not', async () => {
    const dispatcher = build({ bufferSize: 1 }).broadcast();
    const sink = new GatedSink<number>('slow', { maxItems: 1 });
    await dispatcher.subscribeSink(sink);
    const [busy, doomed, sound] = [0, 1, 2].map(() => new HandFeed(dispatcher)) as [
      HandFeed<number>,
      HandFeed<number>,
      HandFeed<number>,
    ];
    await busy.write(1);
    const [first, second] = [await doomed.write(2), await sound.write(3)];
    expect([first.state, second.state, dispatcher.snapshot().waiting]).toEqual(['waiting', 'waiting', 2]);
    doomed.abort(ENOUGH);
    await tick();
    expect([first.state, second.state, dispatcher.snapshot().waiting]).toEqual(['rejected', 'waiting', 1]);
    await sink.releaseAll();
    expect([sink.items, second.state, second.receipt]).toEqual([[1, 3], 'accepted', 'settled']);
    for (const feed of [doomed, busy, sound]) await feed.close(feed === doomed ? ENOUGH : undefined);
  });

  it('waits for room where a strategy of your own takes nothing, and goes on when there is some', async () => {
    const own: DispatchStrategy<number> = {
      name: 'own',
      demand: ([outlet]) => outlet?.demand ?? 0,
      dispatch: (items, at, [outlet]) => {
        const taken = Math.min(items.length - at, outlet?.demand ?? 0);
        return {
          taken,
          deliveries: taken === 0 ? [] : [{ outlet: 0, items: items.slice(at, at + taken) }],
        };
      },
    };
    const dispatcher = build({ bufferSize: 1 }).custom(own);
    const sink = new GatedSink<number>('slow', { maxItems: 1 });
    await dispatcher.subscribeSink(sink);
    const feed = new HandFeed(dispatcher);
    const write = await feed.write(1, 2, 3);
    expect([write.state, dispatcher.snapshot().waiting]).toEqual(['waiting', 2]);
    await sink.releaseAll();
    expect([sink.items, write.receipt]).toEqual([[1, 2, 3], 'settled']);
    await feed.close();
  });
});

describe('What a departed sink handed back', () => {
  it('is waited for by a flush, though no sink is there that could take it', async () => {
    const dispatcher = build({ bufferSize: 5 }).demand();
    const failing = new GatedSink<number>('failing', { maxItems: 1 });
    await dispatcher.subscribeSink(failing, undefined, { onError: 'detach' });
    const feed = new HandFeed(dispatcher);
    const write = await feed.write(1, 2, 3);
    await failing.fail(ENOUGH);
    const flush = feed.flush();
    await tick();
    expect([flush.isDone, dispatcher.snapshot().waiting]).toEqual([false, 2]);
    const next = new Recorder<number>();
    await dispatcher.subscribeSink(next);
    await flush.promise;
    expect([next.items, next.calls, write.receipt]).toEqual([[2, 3], ['open', 'flush'], 'settled']);
    await feed.close();
  });
});

describe('A key that cannot be had, and then can', () => {
  it.each([
    ['of every item', [2], 0],
    ['of all items but one', [2, 5, 6], 1],
  ])('fails the run with what it threw, and loses nothing silently: %s', async (_, throwing, dropped) => {
    let calls = 0;
    const key = (item: number): number => {
      calls += 1;
      if (throwing.includes(calls)) throw ENOUGH;
      return item;
    };
    const dispatcher = build().partition(['a'], () => 'a', { key, onUnknown: 'drop' });
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink, 'a');
    const feed = new HandFeed(dispatcher);
    const write = await feed.write(1, 2, 3);
    expect(feed.failures).toMatchObject([{ code: 'SW_PARTITION_UNKNOWN', stage: 'hub', cause: ENOUGH }]);
    expect([write.receipt, sink.items]).toEqual(['failed', []]);
    expect(dispatcher.snapshot().dropped).toBe(dropped);
    await dispatcher.abort();
  });
});

describe('A strategy that throws', () => {
  it('rejects the write with what the run fails with', async () => {
    const dispatcher = build().custom({
      name: 'own',
      demand: () => 1,
      dispatch: () => {
        throw ENOUGH;
      },
    });
    await dispatcher.subscribeSink(new Recorder<number>());
    const feed = new HandFeed(dispatcher);
    const write = await feed.write(1);
    expect(feed.failures).toMatchObject([{ code: 'SW_STRATEGY_INVALID', cause: ENOUGH }]);
    expect(write.error).toBe(feed.failures[0]);
  });
});

describe('Items that fit nowhere', () => {
  it('wait for room at the sink for such, in order, as many as it takes', async () => {
    const unknown = new GatedSink<number>('unknown', { maxItems: 2 });
    const dispatcher = build({ bufferSize: 2 }).partition(['a'], () => 'b' as 'a', { onUnknown: unknown });
    await dispatcher.subscribeSink(new Recorder<number>(), 'a');
    const feed = new HandFeed(dispatcher);
    const writes = [await feed.write(1, 2, 3), await feed.write(4, 5)];
    expect([writes.map(({ state }) => state), unknown.held]).toEqual([
      ['waiting', 'waiting'],
      [1, 2],
    ]);
    await unknown.releaseAll();
    expect([writes.map(({ receipt }) => receipt), unknown.items]).toEqual([
      ['settled', 'settled'],
      [1, 2, 3, 4, 5],
    ]);
    await feed.close();
  });

  describe('where sinks keep positions', () => {
    const isKnown = (n: number): boolean => n % 3 === 0;
    const run = async (onUnknown: 'drop' | 'fail' | undefined, bufferSize: number, route = isKnown) => {
      const table = new Table<number>();
      const dispatcher = build({ checkpoint: 'job' }).partition(
        ['a'],
        (n) => (route(n) ? 'a' : 'nowhere') as 'a',
        { onUnknown },
      );
      await dispatcher.subscribeSink(keeper(table), 'a', { bufferSize });
      const running = new ConcurrentPipeline(range(0, 30), dispatcher.createSink(10))
        .bufferSize(10)
        .checkpoint(new MemoryCheckpointStore(), 'job')
        .run();
      return { table, dispatcher, running };
    };

    it('are dropped where that is wished', async () => {
      const { table, dispatcher, running } = await run('drop', 100);
      await time().run(running);
      expect(table.items).toEqual(numbers(30).filter(isKnown));
      expect([[...table.positions], dispatcher.snapshot().dropped]).toEqual([[['', 30]], 20]);
    });

    it.each([
      ['with the first write, all at once', 100, isKnown, 1],
      ['with a later write', 100, (n: number) => n !== 17, 17],
      ['with a write that comes in parts', 10, (n: number) => n !== 19, 19],
    ])('fail the run, and no position passes them: %s', async (_, bufferSize, route, bad) => {
      const { table, running } = await run(undefined, bufferSize, route);
      const error = await time().run(rejection(running));
      expect(error).toMatchObject({ code: 'SW_PARTITION_UNKNOWN', suppressed: [] });
      expect(table.positions.get('') ?? 0).toBeLessThanOrEqual(bad);
      expect(table.items).toEqual(numbers(table.items.length).filter(route));
    });

    it('fail the run where the route throws, too', async () => {
      const { table, running } = await run('fail', 100, (n) => {
        if (n === 5) throw ENOUGH;
        return true;
      });
      expect(await time().run(rejection(running))).toMatchObject({
        code: 'SW_PARTITION_UNKNOWN',
        cause: ENOUGH,
      });
      expect(table.positions.get('') ?? 0).toBeLessThanOrEqual(5);
    });
  });
});

describe('A share that a buffer cannot hold', () => {
  it('is too large though another sink has room', async () => {
    const dispatcher = build({ checkpoint: 'job' }).partition(['a', 'b'], () => 'a');
    await dispatcher.subscribeSink(keeper(new Table()), 'a', { name: 'a', bufferSize: 5 });
    await dispatcher.subscribeSink(keeper(new Table()), 'b', { name: 'b', bufferSize: 5 });
    const pipeline = new ConcurrentPipeline(range(0, 40), dispatcher.createSink(10)).checkpoint(
      new MemoryCheckpointStore(),
      'job',
    );
    expect(await time().run(rejection(pipeline.run()))).toMatchObject({
      code: 'SW_BATCH_TOO_LARGE',
      stage: 'a',
    });
  });

  it('is too large as soon as only it is in the way, though a slower sink was at first', async () => {
    const ends = [2, 12];
    const source: Source<number, number> = {
      pull: () => {
        const end = ends.shift();
        if (end === undefined) return undefined;
        const start = end === 2 ? 0 : 2;
        return { items: numbers(end - start, start), position: end };
      },
    };
    const dispatcher = build({ checkpoint: 'job' }).broadcast();
    await dispatcher.subscribeSink(keeper(new Table()), undefined, { name: 'small', bufferSize: 3 });
    const slow = new KeepingSink(new Table<number>(), () => time().sleep(100));
    await dispatcher.subscribeSink(slow, undefined, { name: 'slow', bufferSize: 5 });
    const pipeline = new ConcurrentPipeline(source, dispatcher.createSink(10)).checkpoint(
      new MemoryCheckpointStore(),
      'job',
    );
    expect(await time().run(rejection(pipeline.run()))).toMatchObject({
      code: 'SW_BATCH_TOO_LARGE',
      stage: 'small',
    });
    expect(time().elapsed).toBe(100);
  });
});
