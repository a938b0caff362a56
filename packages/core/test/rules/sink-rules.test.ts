/** What a run makes of what its sink says, for a sink of its own and for one that is subscribed to each kind of dispatcher. */

import { describe, expect, it } from 'vitest';
import { Deferred } from '../../src/deferred.ts';
import { WriteError } from '../../src/errors.ts';
import type { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Accepted, DeferredReceipt, Sink } from '../../src/sink.ts';
import { useVirtualClock } from '../clock.ts';
import { CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { from } from '../../src/flow/flow.ts';
import { arrange, PLACES, Protocol, type SinkOptions, StagedSink, StagedSource } from './staging.ts';

const time = useVirtualClock();
useLeakCheck(time);

const RETRY = { attempts: 3, jitter: 0, backoff: { firstMs: 10, factor: 1 } };

describe.each(PLACES)('in %s', (place) => {
  /** A run whose first pull is outstanding. */
  async function begin(options: SinkOptions & { concurrency?: number; atomic?: boolean } = {}) {
    const { concurrency, atomic, ...rest } = options;
    const protocol = new Protocol();
    const source = new StagedSource(protocol, async () => {});
    const sink = new StagedSink(protocol, {
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(atomic === undefined ? {} : { atomic }),
    });
    const pipeline = (await arrange(place, source, sink, rest)).commitEvery({ items: 1 });
    const ended = pipeline.run().then(
      () => undefined,
      (error: unknown) => error,
    );
    await time().settle();
    const answer = async (...items: number[]): Promise<void> => {
      source.answer(...items);
      await time().settle();
    };
    return { protocol, source, sink, pipeline, ended, answer };
  }

  /** The last position that was committed. */
  function committed(protocol: Protocol): string | undefined {
    return protocol.of('source').findLast((call) => call.startsWith('commit '));
  }

  /** Runs over so many items, of which each has a position. */
  async function runInto(sink: Sink<number>, options?: SinkOptions, items = 20) {
    const source = new CountingSource(items, { size: () => 5 });
    const pipeline: ConcurrentPipeline<number> = await arrange(place, source, sink, options);
    return { source, pipeline, run: pipeline.run() };
  }

  it.each(['throws', 'rejects'])(
    'K1 an open that %s is followed by its close only, with the failure',
    async (way) => {
      const calls: string[] = [];
      const cause = new Error('locked');
      const sink: Sink<number> = {
        open: () => {
          calls.push('open');
          if (way === 'throws') throw cause;
          return Promise.reject(cause);
        },
        write: () => void calls.push('write'),
        flush: () => void calls.push('flush'),
        close: (reason) => void calls.push(reason === undefined ? 'close' : 'close: reason'),
      };
      const error = await time().run(rejection(runInto(sink).then(({ run }) => run)));
      expect(error).toMatchObject({ code: 'SW_SINK_FAILED', cause });
      expect(calls).toEqual(['open', 'close: reason']);
    },
  );

  // A partition without a key is written by one.
  const several: readonly (readonly [number | undefined, number | undefined, number])[] =
    place === 'partition'
      ? [[1, 5, 1]]
      : [
          [3, 2, 2],
          [2, 5, 2],
          [3, undefined, 3],
          [undefined, 5, 1],
        ];
  it.each(several)(
    'K2 with %s at once allowed to a sink that can do %s it has %s outstanding',
    async (run, own, most) => {
      const { sink, source, answer, ended } = await begin({
        ...(run === undefined ? {} : { maxConcurrency: run }),
        ...(own === undefined ? {} : { concurrency: own }),
      });
      for (const key of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) await answer(key * 100 + 1, key * 100 + 2);
      expect(sink.outstanding).toHaveLength(most);
      source.end();
      while (sink.outstanding.length > 0) {
        expect(sink.outstanding.length).toBeLessThanOrEqual(most);
        sink.next.resolve();
        await time().settle();
      }
      expect(await time().run(ended)).toBeUndefined();
      expect(sink.writes.flatMap(({ items }) => items).length).toBe(20);
    },
  );

  if (place === 'keyed partition') {
    it('K2 an item that comes while its key is being written waits for that write, and others do not', async () => {
      const { sink, source, answer, ended } = await begin({ maxConcurrency: 3 });
      const writing = (): (readonly number[])[] => sink.outstanding.map(({ items }) => items);
      await answer(1);
      await answer(2);
      await answer(101);
      expect(writing()).toEqual([[1], [101]]);
      sink.next.resolve();
      await time().settle();
      expect(writing()).toEqual([[101], [2]]);
      source.end();
      for (const write of [...sink.outstanding]) write.resolve();
      expect(await time().run(ended)).toBeUndefined();
    });
  }

  it('K3 nothing is written of a batch that was dropped on the way', async () => {
    const sizes: number[] = [];
    const odd = from(new CountingSource(20, { size: () => 1 })).filter((n) => n % 4 === 3);
    const pipeline = await arrange(place, odd, { write: (batch) => void sizes.push(batch.length) });
    await time().run(pipeline.run());
    expect(sizes.length).toBeGreaterThan(0);
    expect(sizes).not.toContain(0);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(5);
  });

  it('K3 what it was given stays as it was, through attempts and long after', async () => {
    const { source, sink, answer, ended } = await begin({ retry: RETRY });
    await answer(1, 2, 3, 4);
    sink.next.reject(new WriteError('one of them', { failed: [2] }));
    await time().advance(10);
    sink.next.resolve();
    await time().settle();
    await answer(5, 6);
    sink.next.resolve();
    source.end();
    expect(await time().run(ended)).toBeUndefined();
    expect(sink.writes.map(({ items }) => items)).toEqual([
      [1, 2, 3, 4],
      [3, 4],
      [5, 6],
    ]);
  });

  it.each(['returns', 'resolves'])(
    'K4 what a write that %s was given is durable, before any flush',
    async (way) => {
      const written: number[] = [];
      let atFlush = -1;
      const { source, run, pipeline } = await runInto({
        write: (batch) => {
          written.push(...batch);
          return way === 'returns' ? undefined : Promise.resolve();
        },
        flush: async () => {
          await time().sleep(2000);
          atFlush = source.committed;
        },
      });
      await time().run(run);
      expect(written).toHaveLength(20);
      expect(atFlush).toBe(20);
      expect(pipeline.report.positions).toEqual(new Map([['', 20]]));
    },
  );

  it('S8 K5 what was accepted gives its room back at once, and the position waits until it is durable', async () => {
    const { protocol, source, sink, answer, ended } = await begin();
    await answer(1, 2);
    const durable = new Deferred();
    sink.next.resolve({ durable: durable.promise });
    await time().settle();
    await answer(3);
    sink.next.resolve();
    await time().settle();
    expect(committed(protocol)).toBeUndefined();
    durable.resolve();
    await time().settle();
    expect(committed(protocol)).toBe('commit 3');
    source.end();
    expect(await time().run(ended)).toBeUndefined();
  });

  it('K5 what was accepted and is then lost is not written again, whatever the retry', async () => {
    const { protocol, sink, answer, ended } = await begin({ retry: RETRY });
    await answer(1, 2);
    const durable = new Deferred();
    sink.next.resolve({ durable: durable.promise });
    await time().settle();
    const cause = new Error('the upload is gone');
    durable.reject(cause);
    const error = await time().run(ended);
    expect(error).toMatchObject({ code: 'SW_SINK_FAILED', cause });
    expect(sink.writes).toHaveLength(1);
    expect(committed(protocol)).toBeUndefined();
  });

  it('K6 a write that failed comes again, with the attempt counted, and nothing overtakes it', async () => {
    const { protocol, source, sink, answer, ended } = await begin({ retry: RETRY });
    await answer(1, 2);
    await answer(3);
    for (const attempt of [1, 2]) {
      expect(sink.next.context.attempt).toBe(attempt);
      expect(sink.next.items).toEqual([1, 2]);
      sink.next.reject(new Error('busy'));
      await time().settle();
      expect(sink.outstanding).toEqual([]);
      await time().advance(10);
    }
    expect(committed(protocol)).toBeUndefined();
    expect(sink.next.context.attempt).toBe(3);
    sink.next.resolve();
    await time().settle();
    expect([sink.next.items, sink.next.context.attempt]).toEqual([[3], 1]);
    expect(committed(protocol)).toBe('commit 2');
    source.end();
    sink.next.resolve();
    expect(await time().run(ended)).toBeUndefined();
  });

  it.each([
    ['that is not atomic gets no more of it than from the first it named', false, [2, 3, 4]],
    ['that is atomic gets all of it', true, [1, 2, 3, 4]],
  ])('K6 a sink %s', async (_, atomic, again) => {
    const { source, sink, answer, ended } = await begin({ retry: RETRY, atomic });
    await answer(1, 2, 3, 4);
    sink.next.reject(new WriteError('two of them', { failed: [1, 3] }));
    await time().advance(10);
    expect(sink.next.items).toEqual(again);
    sink.next.resolve();
    await time().settle();
    source.end();
    expect(await time().run(ended)).toBeUndefined();
  });

  it('K6 a reason that will not pass is not tried again', async () => {
    const { protocol, sink, answer, ended } = await begin({ retry: RETRY });
    await answer(1);
    sink.next.reject(Object.assign(new Error('no such column'), { retryable: false }));
    expect(await time().run(ended)).toMatchObject({ code: 'SW_SINK_FAILED' });
    expect(sink.writes).toHaveLength(1);
    expect(committed(protocol)).toBeUndefined();
  });

  // Seats share their sink, and none may flush it while another writes.
  if (place !== 'keyed partition') {
    it('K7 is flushed at maxUncommitted when no write is outstanding, and none begins meanwhile', async () => {
      let [writing, flushing, between] = [0, 0, 0];
      const beside: string[] = [];
      const flushed = new Set<() => void>();
      const { source, run } = await runInto(
        {
          concurrency: place === 'partition' ? 1 : 2,
          batching: { maxItems: 2 },
          write: async (batch): Promise<Accepted> => {
            if (flushing > 0) beside.push(`write ${batch.join()} beside a flush`);
            writing += 1;
            await time().sleep(batch[0] === 0 ? 30 : 10);
            writing -= 1;
            return { durable: new Promise((resolve) => flushed.add(resolve)) };
          },
          flush: async () => {
            if (writing > 0) beside.push('flush beside a write');
            if (source.committed < 20) between += 1;
            flushing += 1;
            await time().sleep(5);
            for (const resolve of flushed) resolve();
            flushing -= 1;
          },
        },
        { maxConcurrency: place === 'partition' ? 1 : 2, maxUncommitted: 4 },
      );
      await time().run(run);
      expect(beside).toEqual([]);
      expect(between).toBeGreaterThan(2);
      expect(source.committed).toBe(20);
    });
  }

  it('K7 a sink without flush is waited for, until what it accepted is durable by itself', async () => {
    const { source, run } = await runInto({
      write: (): Accepted => ({ durable: time().sleep(700) }),
    });
    await time().run(run);
    expect(source.committed).toBe(20);
    expect(time().elapsed).toBe(700);
  });

  it.each([
    ['with', () => {}],
    ['without', undefined],
  ])('K7 a sink %s flush that never is durable is SW_DELIVERY_UNSETTLED', async (_, flush) => {
    const { source, run } = await runInto({
      write: (): Accepted => ({ durable: new Promise(() => {}) }),
      ...(flush === undefined ? {} : { flush }),
    });
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_DELIVERY_UNSETTLED' });
    expect(source.commits).toEqual([]);
  });

  it('K9 a write that takes too long hears of it by its own signal, and another begins beside it', async () => {
    const { source, sink, answer, ended } = await begin({ retry: RETRY, writeTimeout: 50 });
    await answer(1, 2);
    const late = sink.next;
    const { signal } = late.context;
    await time().advance(49);
    expect(signal.aborted).toBe(false);
    await time().advance(11);
    expect(signal.reason).toMatchObject({ code: 'SW_WRITE_TIMEOUT' });
    expect(sink.context?.signal.aborted).toBe(false);
    const [, second] = sink.outstanding;
    expect([second?.items, second?.context.attempt]).toEqual([[1, 2], 2]);
    // Nobody waits for it: what it still says is neither a failure nor a success.
    late.reject(new Error('late'));
    await time().settle();
    second?.resolve();
    source.end();
    expect(await time().run(ended)).toBeUndefined();
  });

  it('K9 a write that ignores the abort is named, and its late success moves nothing', async () => {
    const { protocol, sink, pipeline, answer, ended } = await begin();
    await answer(1, 2);
    void pipeline.abort(new Error('enough'));
    const error = (await time().run(ended)) as { suppressed?: unknown[] };
    expect(String(error.suppressed)).toMatch(/staged sink|closing the sink/);
    sink.next.resolve();
    await time().advance(10_000);
    expect(committed(protocol)).toBeUndefined();
  });

  it('K10 the position waits for every piece of what a sink took over', async () => {
    const receipts: DeferredReceipt[] = [];
    const { source, run } = await runInto(
      {
        write: (_, context) => {
          const receipt = context.defer();
          receipt.retain(1);
          receipt.settle();
          receipts.push(receipt);
        },
        flush: async () => {
          await time().sleep(2000);
          expect(source.commits).toEqual([]);
          for (const receipt of receipts) receipt.settle();
        },
      },
      {},
      5,
    );
    await time().run(run);
    expect(source.committed).toBe(5);
  });

  it('K10 a piece too few is SW_DELIVERY_UNSETTLED, and nothing is committed', async () => {
    const { source, run } = await runInto({ write: (_, context) => void context.defer(), flush: () => {} });
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_DELIVERY_UNSETTLED' });
    expect(source.commits).toEqual([]);
  });

  it('K10 a piece too many is SW_RECEIPT_SETTLED where it is settled, and settles nothing of another write', async () => {
    const codes: unknown[] = [];
    let second: DeferredReceipt | undefined;
    // One source batch, in two writes.
    const { source, run } = await runInto(
      {
        batching: { maxItems: 3 },
        write: (_, context) => {
          const receipt = context.defer();
          if (codes.length > 0) {
            second = receipt;
            return;
          }
          receipt.settle();
          try {
            receipt.settle();
          } catch (error) {
            codes.push((error as { code: unknown }).code);
          }
        },
        flush: async () => {
          await time().sleep(2000);
          expect(source.commits).toEqual([]);
          second?.settle();
        },
      },
      {},
      5,
    );
    await time().run(run);
    expect(codes).toEqual(['SW_RECEIPT_SETTLED']);
    expect(source.committed).toBe(5);
  });

  it('K10 a piece that is lost fails the run, and the position stays before it', async () => {
    const cause = new Error('lost');
    const { source, run } = await runInto({
      write: (_, context) => context.defer().fail(cause),
    });
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_SINK_FAILED', cause });
    expect(source.commits).toEqual([]);
  });
});
