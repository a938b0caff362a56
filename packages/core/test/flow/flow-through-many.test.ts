import { describe, expect, it } from 'vitest';
import { collect } from '../../src/builtin/sinks.ts';
import { Deferred } from '../../src/deferred.ts';
import { LaneBook } from '../../src/delivery/lane.ts';
import { Parcel } from '../../src/delivery/parcel.ts';
import { type Flow, from } from '../../src/flow/flow.ts';
import { type FlowRun, Stage } from '../../src/flow/stage.ts';
import { ThroughManyStage } from '../../src/flow/through-many.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { DeadLetter } from '../../src/policy/dead-letter.ts';
import type { DeferredReceipt, WriteContext } from '../../src/sink.ts';
import type { ConcurrentProcessor, ProcessContext } from '../../src/source.ts';
import { useVirtualClock } from '../clock.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { iterate, ListSource, pipe, settle, upTo } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck(time);

type Batch = readonly number[];

/** Batches that take as long as they are told, and are counted. */
class Mill implements ConcurrentProcessor<number, number> {
  readonly name = 'mill';
  readonly concurrency: number;
  readonly maxItems: number | undefined;
  readonly batches: Batch[] = [];
  readonly closes: unknown[] = [];
  signal: AbortSignal | undefined;
  running = 0;
  most = 0;
  readonly #msOf: (batch: Batch) => number;

  constructor(concurrency: number, maxItems?: number, msOf: (batch: Batch) => number = () => 10) {
    this.concurrency = concurrency;
    this.maxItems = maxItems;
    this.#msOf = msOf;
  }

  async process(batch: Batch, { signal }: ProcessContext): Promise<Batch> {
    this.signal = signal;
    this.batches.push(batch);
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    await time().sleep(this.#msOf(batch));
    this.running -= 1;
    return batch.map((n) => -n);
  }

  close(reason?: unknown): void {
    this.closes.push(reason);
  }
}

function run<T>(flow: Flow<T>): Promise<T[]> {
  const sink = collect<T>();
  return time()
    .run(new ConcurrentPipeline(flow, sink).bufferSize(40).run())
    .then(() => sink.items);
}

describe('Flow.through with a concurrency', () => {
  it.each([1, 2, 3])(
    'has exactly %d batches under way, none above maxItems, in order',
    async (concurrency) => {
      const mill = new Mill(concurrency, 4, ([first = 0]) => 5 + (first % 7));
      expect(await run(from(upTo(100)).through(mill))).toEqual(upTo(100).map((n) => -n));
      expect(mill.most).toBe(concurrency);
      expect(Math.max(...mill.batches.map(({ length }) => length))).toBe(4);
      expect(mill.batches.flat()).toEqual(upTo(100));
      expect(mill.closes).toEqual([undefined]);
    },
  );

  it('shares out to all calls what one pull answered', async () => {
    const mill = new Mill(4, 100);
    await run(from(upTo(12)).through(mill));
    expect(mill.batches.map(({ length }) => length)).toEqual([3, 3, 3, 3]);
  });

  it.each([5, 20, 1000])(
    'gives as much at once as it may, also where little is asked for: %d',
    async (bufferSize) => {
      const mill = new Mill(2, 10, ([first = 0]) => 5 + (first % 3));
      const slow = { concurrency: 1, batching: { maxItems: 3 }, write: () => time().sleep(1) };
      const flow = from(upTo(500)).through(mill);
      await time().run(new ConcurrentPipeline(flow, slow).bufferSize(bufferSize).run());
      expect(mill.batches.map(({ length }) => length)).toEqual(new Array<number>(50).fill(10));
    },
  );

  it('hands on as they come, where order does not count', async () => {
    const mill = new Mill(2, 1, ([first]) => (first === 0 ? 50 : 10));
    const items = await run(from(upTo(6)).through(mill, { ordered: false }));
    expect(items).toEqual([-1, -2, -3, -4, -0, -5]);
  });

  it('goes on beside a batch that takes long, as far as there is room', async () => {
    const mill = new Mill(2, 1, ([first]) => (first === 0 ? 1000 : 10));
    const started: number[] = [];
    const begin = time().now();
    const flow = from(upTo(100)).through({
      concurrency: 2,
      maxItems: 1,
      process: (batch: Batch, context: ProcessContext) => {
        if (time().now() < begin + 900) started.push(...batch);
        return mill.process(batch, context);
      },
    });
    expect(await run(flow)).toEqual(upTo(100).map((n) => -n));
    // The buffer of 40 asks for half of it at a time.
    expect(started).toEqual(upTo(20));
  });

  it('cuts what a batch became to the demand, and takes answers that are no promises', async () => {
    const flow = from(upTo(10)).through({
      concurrency: 3,
      process: (batch: Batch) => batch.flatMap((n) => [n, n, n]),
    });
    expect(await pipe(flow, { bufferSize: 2 })).toEqual(upTo(10).flatMap((n) => [n, n, n]));
    expect(await iterate(flow)).toEqual(upTo(10).flatMap((n) => [n, n, n]));
  });

  it('makes a processor anew for every run, given a factory', async () => {
    const made: Mill[] = [];
    const flow = from(upTo(3)).through(() => {
      made.push(new Mill(2));
      return made.at(-1) as Mill;
    });
    await run(flow);
    await run(flow);
    expect(made.map(({ closes }) => closes)).toEqual([[undefined], [undefined]]);
  });

  it('commits the done prefix alone, though a later batch is done before', async () => {
    const source = new ListSource(upTo(6), { size: () => 2 });
    const gates = new Map<number, Deferred>();
    const written: number[] = [];
    const pipeline = new ConcurrentPipeline(
      from(source).through(
        {
          concurrency: 3,
          process: async (batch: Batch) => {
            const gate = new Deferred();
            for (const n of batch) gates.set(n, gate);
            await gate.promise;
            return batch;
          },
        },
        { ordered: false },
      ),
      (batch) => void written.push(...batch),
    );
    const report = pipeline.commitEvery({ items: 1 }).run();
    await settle();
    gates.get(1)?.resolve();
    await settle();
    expect([written, source.commits]).toEqual([[1], []]);
    for (let n = 0; n < 6; n++) {
      gates.get(n)?.resolve();
      await settle();
    }
    await report;
    expect(source.commits.at(-1)).toBe(6);
    expect(written.toSorted((a, b) => a - b)).toEqual(upTo(6));
  });

  it('keeps positions before what is written, and not yet durable', async () => {
    const source = new ListSource(upTo(6), { size: () => 2 });
    const receipts: DeferredReceipt[] = [];
    const all = new Deferred();
    const process = async (batch: Batch): Promise<Batch> => batch;
    const run = new ConcurrentPipeline(from(source).through({ concurrency: 2, maxItems: 1, process }), {
      batching: { maxItems: 1 },
      write: (_batch: Batch, context: WriteContext) => void receipts.push(context.defer()),
      flush: () => all.promise,
    })
      .commitEvery({ items: 1 })
      .run();
    await settle();
    expect([receipts.length, source.commits]).toEqual([6, []]);
    receipts[0]?.settle();
    receipts[2]?.settle();
    receipts[1]?.settle();
    await settle();
    expect(source.commits).toEqual([2]);
    for (const receipt of receipts.slice(3)) receipt.settle();
    all.resolve();
    await run;
    expect(source.commits.at(-1)).toBe(6);
  });

  it('holds what there is room for downstream, though nobody comes for it', async () => {
    const source = new ListSource(upTo(100));
    const gate = new Deferred();
    let first = true;
    const flow = from(source).through({
      concurrency: 2,
      maxItems: 1,
      process: async (batch: Batch) => {
        if (first) {
          first = false;
          await gate.promise;
        }
        return batch;
      },
    });
    const report = new ConcurrentPipeline(flow, collect<number>()).bufferSize(20).run();
    await settle();
    expect(source.handedOut).toBe(10);
    gate.resolve();
    await report;
    expect(source.handedOut).toBe(100);
  });

  it('is given no more once a batch has failed', async () => {
    const gates: Deferred[] = [];
    const flow = from(upTo(100)).through({
      concurrency: 2,
      maxItems: 1,
      process: async (batch: Batch) => {
        const gate = new Deferred();
        gates.push(gate);
        await gate.promise;
        return batch;
      },
    });
    const failed = rejection(pipe(flow));
    await settle();
    gates[1]?.reject(new Error('on purpose'));
    await settle();
    expect(gates).toHaveLength(2);
    gates[0]?.resolve();
    expect(await failed).toMatchObject({ code: 'SW_OPERATOR_FAILED' });
    expect(gates).toHaveLength(2);
  });

  it.each(['throws', 'rejects'])('fails with what it %s, behind what was done before', async (how) => {
    const cause = new Error('on purpose');
    const written: number[] = [];
    const flow = from(upTo(6)).through({
      name: 'mill',
      concurrency: 2,
      maxItems: 1,
      process: (batch: Batch) => {
        if (batch[0] !== 3) return batch;
        if (how === 'throws') throw cause;
        return Promise.reject(cause);
      },
    });
    const failed = new ConcurrentPipeline(flow, (batch) => void written.push(...batch)).failFast(false).run();
    await expect(failed).rejects.toMatchObject({ code: 'SW_OPERATOR_FAILED', stage: 'mill', cause });
    expect(written).toEqual([0, 1, 2]);
  });

  it('aborts its signal when the run is aborted, calls no more, and closes with the reason', async () => {
    const calls: AbortSignal[] = [];
    const closes: unknown[] = [];
    const processor: ConcurrentProcessor<number, number> = {
      concurrency: 2,
      maxItems: 1,
      process: (_batch, { signal }) => {
        calls.push(signal);
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
      close: (reason) => void closes.push(reason),
    };
    const pipeline = new ConcurrentPipeline(from(upTo(100)).through(processor), collect<number>());
    const failed = rejection(pipeline.run());
    await settle();
    expect(calls.map(({ aborted }) => aborted)).toEqual([false, false]);
    const reason = new Error('enough');
    void pipeline.abort(reason);
    expect(calls.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(await failed).toBe(reason);
    expect([calls.length, closes]).toEqual([2, [reason]]);
  });
});

describe('ProcessContext.refuse', () => {
  const cause = new TypeError('an odd one');
  const refusing = (): ConcurrentProcessor<number, number> => ({
    name: 'sieve',
    concurrency: 2,
    maxItems: 3,
    process: (batch, { refuse }) => {
      for (const [at, n] of batch.entries()) if (n % 2 === 1) refuse(at, cause);
      return batch.filter((n) => n % 2 === 0);
    },
  });

  it('fails the run with the error, where nothing else is said', async () => {
    await expect(pipe(from(upTo(6)).through(refusing()))).rejects.toMatchObject({
      code: 'SW_OPERATOR_FAILED',
      stage: 'sieve',
      cause,
    });
  });

  it('drops the item and counts it', async () => {
    const sink = collect<number>();
    const flow = from(new ListSource(upTo(6))).through(refusing(), { onError: 'drop' });
    const report = await new ConcurrentPipeline(flow, sink).run();
    expect([sink.items, report.dropped]).toEqual([[0, 2, 4], 3]);
  });

  it('sends the item to the dead letter with its place, and commits it when it is durable there', async () => {
    const source = new ListSource(upTo(6), { size: () => 2 });
    const letters = collect<DeadLetter>();
    const sink = collect<number>();
    const flow = from(source).through(refusing(), { onError: 'deadLetter' });
    const report = await new ConcurrentPipeline(flow, sink).deadLetter(letters).run();
    expect(sink.items).toEqual([0, 2, 4]);
    expect(letters.items.map(({ item, stage, after, upTo: to }) => [item, stage, after, to])).toEqual([
      [1, 'sieve', undefined, 2],
      [3, 'sieve', 2, 4],
      [5, 'sieve', 4, 6],
    ]);
    expect(letters.items[0]?.error).toMatchObject({ name: 'TypeError', message: 'an odd one' });
    expect([report.deadLettered, source.commits.at(-1)]).toEqual([3, 6]);
  });

  it('counts an item once, with its first error', async () => {
    const letters = collect<DeadLetter>();
    const flow = from(upTo(1)).through(
      {
        concurrency: 1,
        process: (_batch: Batch, { refuse }: ProcessContext): Batch => {
          refuse(0, cause);
          refuse(0, new Error('a later one'));
          return [];
        },
      },
      { onError: 'deadLetter' },
    );
    await new ConcurrentPipeline(flow, collect<number>()).deadLetter(letters).run();
    expect(letters.items.map(({ error }) => error.message)).toEqual(['an odd one']);
  });

  it('waits for a dead letter that is slow', async () => {
    const gate = new Deferred();
    let pulled = 0;
    const source = {
      pull: (demand: number) => {
        pulled += demand;
        return pulled > 20_000 ? undefined : new Array<number>(demand).fill(1);
      },
    };
    const flow = from(source).through(refusing(), { onError: 'deadLetter' });
    const run = new ConcurrentPipeline(flow, collect<number>())
      .deadLetter({ write: () => gate.promise })
      .run();
    await settle();
    await settle();
    // A thousand letters that wait, a write of them, and what was pulled by then.
    expect(pulled).toBeLessThanOrEqual(3000);
    gate.resolve();
    expect((await run).deadLettered).toBeGreaterThan(10_000);
  });

  it('needs a dead letter to send to', async () => {
    const flow = from(upTo(6)).through(refusing(), { onError: 'deadLetter' });
    await expect(pipe(flow)).rejects.toMatchObject({ code: 'SW_DEAD_LETTER_MISSING', stage: 'sieve' });
  });

  it.each([-1, 1.5, 3])('knows no index %d in a batch of three', async (index) => {
    const flow = from(upTo(3)).through({
      concurrency: 1,
      maxItems: 3,
      process: (batch: Batch, { refuse }: ProcessContext) => {
        refuse(index, cause);
        return batch;
      },
    });
    await expect(pipe(flow)).rejects.toMatchObject({ code: 'SW_OPTION_INVALID' });
  });
});

describe('ThroughManyStage.leave', () => {
  it.each(['input', 'processor'] as const)('settles what its %s answers after that', async (late) => {
    const stages: Stage<unknown>[] = [];
    const flowRun: FlowRun = { concurrency: 1, sources: [], stages, dropped: () => {} };
    const book = new LaneBook(() => {});
    const parcel = new Parcel([1, 2, 3], book.issue('', 3, 1), null);
    const waiting = new Deferred();
    class Input extends Stage<number> {
      override pull(): Parcel<number> | Promise<Parcel<number>> {
        return late === 'input' ? waiting.promise.then(() => parcel) : parcel;
      }
    }
    const processor = {
      concurrency: 2,
      maxItems: 1,
      process: async (batch: Batch) => {
        await waiting.promise;
        return batch;
      },
    };
    const stage = new ThroughManyStage(new Input('input', [], flowRun), flowRun, processor, {});
    const pulled = stage.pull(10);
    stage.leave();
    waiting.resolve();
    expect(await pulled).toBe(undefined);
    await settle();
    expect(book.openLanes()).toEqual([]);
  });
});

describe('through', () => {
  const process = (batch: Batch): Batch => batch;

  it.each([0, 1.5, Number.NaN, '2', undefined])('refuses a concurrency of %s', (concurrency) => {
    expect(() => from(upTo(3)).through({ concurrency: concurrency as number, process })).toThrow(
      'processor.concurrency must be a whole number of at least 1',
    );
  });

  it('refuses a processor that is concurrent and holds back, a maxItems of 0, and a wrong option', () => {
    const flow = from(upTo(3));
    expect(() => flow.through({ concurrency: 2, process, flush: () => [] } as never)).toThrow(
      /holds nothing back/,
    );
    expect(() => flow.through({ concurrency: 2, maxItems: 0, process })).toThrow(/processor\.maxItems/);
    expect(() => flow.through({ concurrency: 2, process }, { onError: 'skip' as never })).toThrow(/onError/);
    expect(() => flow.through({ concurrency: 2, process }, { ordered: 1 as never })).toThrow(/ordered/);
    expect(() => flow.through({ concurrency: 2, process }, { order: true } as never)).toThrow(/order/);
  });

  it('has no options for a processor that works on one batch at a time', async () => {
    const flow = from(upTo(3)).through({ process } as never, { onError: 'drop' });
    await expect(pipe(flow)).rejects.toThrow('The options of through are for a processor');
  });
});
