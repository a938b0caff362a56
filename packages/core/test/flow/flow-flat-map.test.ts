import { describe, expect, it } from 'vitest';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { ControlledSink } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { iterate, ListSource, pipe, settle, upTo } from './instruments.ts';

useLeakCheck();

describe('Flow.flatMap', () => {
  it('makes none, one or many of an item, of any iterable, now or later', async () => {
    const flow = from(upTo(6)).flatMap<number>((n) => {
      if (n === 0) return [];
      if (n === 1) return new Set([10, 11]);
      if (n === 2) return Promise.resolve([20, 21, 22]);
      if (n === 3) return Promise.resolve([]);
      return (function* () {
        yield n * 10;
        yield n * 10 + 1;
      })();
    });
    const expected = [10, 11, 20, 21, 22, 40, 41, 50, 51];
    expect(await iterate(flow)).toEqual(expected);
    expect(await pipe(flow, { bufferSize: 1 })).toEqual(expected);
    expect(await pipe(flow)).toEqual(expected);
  });

  it('reads an endless iterable no further than the demand, and closes it', async () => {
    let made = 0;
    let closed = 0;
    const endless = function* (): Generator<number> {
      try {
        for (;;) yield made++;
      } finally {
        closed += 1;
      }
    };
    const items = await pipe(from(['only']).flatMap(endless).take(25), { bufferSize: 10 });
    expect(items).toEqual(upTo(25));
    expect(made).toBe(25);
    expect(closed).toBe(1);
  });

  it('asks for as few items as their multiples fill the demand', async () => {
    const source = new ListSource(upTo(1000));
    await pipe(
      from(source).flatMap((n) => new Array<number>(100).fill(n)),
      { bufferSize: 400 },
    );
    expect(Math.max(...source.demands)).toBeLessThanOrEqual(2);
  });

  it('handles a promise that fails while nobody asks', async () => {
    const sink = new ControlledSink<number>(1);
    const flow = from(upTo(20)).flatMap((n) => (n === 7 ? Promise.reject(new Error('nobody looks')) : [n]));
    const run = new ConcurrentPipeline(flow, sink).bufferSize(8).run();
    run.catch(() => {});
    await settle();
    // The buffer has one place left: the next pull waits for the sink, and the rejection is there already.
    while (sink.outstanding > 0) {
      sink.writes.at(-1)?.accept();
      await settle();
    }
    await expect(run).rejects.toMatchObject({ code: 'SW_OPERATOR_FAILED', stage: 'flatMap' });
  });

  it('keeps the position of a batch until all that was made of it is written', async () => {
    const source = new ListSource([1, 2], { size: () => 1 });
    const committed: (number | undefined)[] = [];
    const sink = {
      batching: { maxItems: 1 },
      write: async (): Promise<void> => {
        committed.push(source.commits.at(-1));
      },
    };
    await new ConcurrentPipeline(
      from(source).flatMap((n) => [n, n, n]),
      sink,
    )
      .bufferSize(2)
      .commitEvery({ items: 1 })
      .run();
    expect(committed).toEqual([undefined, undefined, undefined, 1, 1, 1]);
    expect(source.commits).toEqual([1, 2]);
  });

  it('keeps the positions of all in an array made of several batches', async () => {
    const source = new ListSource(upTo(7), { size: () => 2, isAsync: () => true });
    const flow = from(source)
      .batch(3)
      .flatMap((array) => [...array, ...array]);
    const items = await pipe(flow, { bufferSize: 2 });
    expect(items).toEqual([0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 6]);
    expect(source.commits.at(-1)).toBe(7);
  });

  it('fails where the function answers no iterable', async () => {
    await expect(pipe(from([1]).flatMap((() => 7) as never))).rejects.toMatchObject({
      code: 'SW_OPERATOR_FAILED',
      cause: expect.any(TypeError),
    });
  });
});
