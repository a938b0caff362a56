import { ConcurrentPipeline, MemoryCheckpointStore, type Source } from '@streamweld/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { faultySink } from '../src/faulty-sink.ts';
import { faultySource } from '../src/faulty-source.ts';
import { useLeakCheck } from '../src/leak-check.ts';
import { recorder } from '../src/recorder.ts';
import { useVirtualClock } from '../src/virtual-clock.ts';

const hooks = { beforeEach, afterEach };

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Numbers, in batches of up to ten, with a position behind each batch. */
function counting(count: number): Source<number, number> {
  let at = 0;
  return {
    name: 'counting',
    open: ({ positions }) => {
      at = positions.get('') ?? 0;
    },
    pull(demand) {
      const end = Math.min(count, at + demand, at + 10);
      if (end === at) return undefined;
      const items = numbers(end).slice(at);
      at = end;
      return { items, position: end };
    },
    commit: () => {},
  };
}

describe('faultySink', () => {
  const time = useVirtualClock(hooks);
  useLeakCheck(hooks, { clock: time });

  it('fails the writes of its script, and nothing is lost or doubled where the write had not been done', async () => {
    const written = recorder<number>();
    const sink = faultySink(written, {
      script: [
        { on: 'write', call: 1, fault: 'throw' },
        { on: 'write', call: 3, fault: 'reject' },
        { on: 'write', call: 5, fault: 'delay' },
      ],
    });
    const report = await time().run(
      new ConcurrentPipeline(numbers(100), sink).bufferSize(20).retry({ attempts: 3 }).run(),
    );
    expect(written.items).toEqual(numbers(100));
    expect([sink.faults.fired('throw'), sink.faults.fired('reject'), sink.faults.fired('delay')]).toEqual([
      1, 1, 1,
    ]);
    expect(report.retried).toBe(2);
  });

  it('loses the reply of a write that was done, which then comes again', async () => {
    const written = recorder<number>();
    const sink = faultySink(written, { script: [{ on: 'write', call: 1, fault: 'lost' }] });
    await time().run(new ConcurrentPipeline(numbers(5), sink).retry({ attempts: 2 }).run());
    expect(written.items).toEqual([...numbers(5), ...numbers(5)]);
    expect(sink.faults.fired()).toBe(1);
  });

  it('hangs until it is released, or until the run aborts; deaf, not even then', async () => {
    const written = recorder<number>();
    const sink = faultySink(written, { script: [{ on: 'write', call: 1, fault: 'hang' }] });
    const run = new ConcurrentPipeline(numbers(5), sink).run();
    await time().settle();
    expect([sink.faults.hanging, written.count]).toEqual([1, 0]);
    sink.faults.release();
    expect((await time().run(run)).written).toBe(5);

    const aborted = faultySink(recorder<number>(), { script: [{ on: 'write', call: 1, fault: 'hang' }] });
    const pipeline = new ConcurrentPipeline(numbers(5), aborted);
    const running = pipeline.run();
    running.catch(() => {});
    await time().settle();
    await time().run(pipeline.abort());
    expect([aborted.faults.hanging, time().elapsed]).toEqual([0, 0]);
    await expect(running).rejects.toMatchObject({ code: 'SW_PIPELINE_ABORTED' });

    const deaf = faultySink(recorder<number>(), { script: [{ on: 'write', call: 1, fault: 'deaf' }] });
    const left = new ConcurrentPipeline(numbers(5), deaf);
    const leaving = left.run();
    leaving.catch(() => {});
    await time().settle();
    await time().run(left.abort());
    // The run did not wait for ever: the write is left behind.
    expect(deaf.faults.hanging).toBe(1);
    deaf.faults.release();
    await time().settle();
  });

  it('is durable late, and no position is committed before', async () => {
    const source = counting(10);
    const store = new MemoryCheckpointStore();
    const sink = faultySink(recorder<number>(), {
      script: [{ on: 'write', call: 1, fault: 'late' }],
      delayMs: 500,
    });
    const run = new ConcurrentPipeline(source, sink)
      .commitEvery({ items: 1, ms: 1 })
      .checkpoint(store, 'late')
      .run();
    await time().advance(499);
    expect([...store.load('late')]).toEqual([]);
    await time().run(run);
    expect([...store.load('late').keys()]).toEqual(['']);
  });

  it('does the same again from the same seed, and something else from another', async () => {
    const play = async (seed: number): Promise<unknown> => {
      const written = recorder<number>();
      const sink = faultySink(written, { chances: { write: { reject: 0.3, lost: 0.2, delay: 0.3 } }, seed });
      await time().run(
        new ConcurrentPipeline(numbers(200), sink).bufferSize(10).retry({ attempts: 20 }).run(),
      );
      expect(sink.faults.fired()).toBeGreaterThan(5);
      return [written.items, written.sizes];
    };
    const first = await play(3);
    expect(await play(3)).toEqual(first);
    expect(await play(4)).not.toEqual(first);
  });
});

describe('faultySource', () => {
  const time = useVirtualClock(hooks);
  useLeakCheck(hooks, { clock: time });

  it('answers short and empty where the plan says so, and every item still comes once', async () => {
    const written = recorder<number>();
    const source = faultySource(counting(600), {
      chances: { pull: { short: 0.4, empty: 0.3, delay: 0.2 } },
      seed: 5,
    });
    const report = await time().run(new ConcurrentPipeline(source, written).run());
    expect(written.items).toEqual(numbers(600));
    expect(report.positions.size).toBe(1);
    for (const kind of ['short', 'empty', 'delay'] as const)
      expect(source.faults.fired(kind)).toBeGreaterThan(0);
  });

  it('fails a pull, and the run is resumed behind what was committed', async () => {
    const store = new MemoryCheckpointStore();
    const written = recorder<number>();
    const run = (fault: boolean): Promise<unknown> =>
      new ConcurrentPipeline(
        faultySource(counting(60), fault ? { script: [{ on: 'pull', call: 4, fault: 'reject' }] } : {}),
        written,
      )
        .checkpoint(store, 'resumed')
        .run();
    await expect(time().run(run(true))).rejects.toMatchObject({ code: 'SW_SOURCE_FAILED' });
    await time().run(run(false));
    expect([...new Set(written.items)].toSorted((a, b) => a - b)).toEqual(numbers(60));
  });

  it('tells the run that it cannot go on, between two calls', async () => {
    const reason = new Error('the line is cut');
    const source = faultySource(counting(60), {
      script: [{ on: 'pull', call: 2, fault: 'fail' }],
      error: () => reason,
    });
    await expect(time().run(new ConcurrentPipeline(source, recorder<number>()).run())).rejects.toSatisfy(
      (error) => error === reason || (error as Error).cause === reason,
    );
  });

  it('has only what the source has', () => {
    const source = faultySource({ pull: () => undefined }, {});
    expect(Object.keys(source).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'close',
      'faults',
      'open',
      'pull',
    ]);
  });
});

describe('recorder', () => {
  const time = useVirtualClock(hooks);

  it('tells items by key, sizes, calls and times, and when so many are there', async () => {
    const written = recorder<number>({ keyOf: (n) => n % 3, maxItems: 50 });
    const run = new ConcurrentPipeline(numbers(100), written).bufferSize(20).run();
    await time().run(written.has(100));
    await time().run(run);
    expect(written.count).toBe(100);
    expect(written.items).toEqual(numbers(100).slice(50));
    expect(written.itemsOf(0)).toEqual(
      numbers(100)
        .slice(50)
        .filter((n) => n % 3 === 0),
    );
    expect(written.sizes.reduce((sum, size) => sum + size, 0)).toBe(100);
    expect(written.calls.map(({ call }) => call)).toEqual([
      'open',
      ...written.sizes.map(() => 'write'),
      'flush',
      'close',
    ]);
    expect(() => recorder().itemsOf(1)).toThrow('keyOf');
  });
});
