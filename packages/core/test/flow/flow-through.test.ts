import { describe, expect, it } from 'vitest';
import { Deferred } from '../../src/deferred.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { DeferredReceipt, WriteContext } from '../../src/sink.ts';
import type { Processor } from '../../src/source.ts';
import { iterate, ListSource, pipe, settle, upTo } from './instruments.ts';

/** Pairs, with half a pair held back between batches. */
class Pairs implements Processor<number, readonly number[]> {
  readonly name = 'pairs';
  readonly closes: unknown[] = [];
  #half: number[] = [];

  process(batch: readonly number[]): (readonly number[])[] {
    const pairs: number[][] = [];
    for (const n of batch) {
      this.#half.push(n);
      if (this.#half.length < 2) continue;
      pairs.push(this.#half);
      this.#half = [];
    }
    return pairs;
  }

  flush(): (readonly number[])[] {
    return this.#half.length === 0 ? [] : [this.#half];
  }

  holdsBack(): boolean {
    return this.#half.length > 0;
  }

  close(reason?: unknown): void {
    this.closes.push(reason);
  }
}

describe('Flow.through', () => {
  it('hands on what a processor makes of batches, and what its flush has left', async () => {
    expect(await iterate(from(upTo(5)).through(new Pairs()))).toEqual([[0, 1], [2, 3], [4]]);
  });

  it('makes a processor anew for every run, given a factory', async () => {
    const flow = from(upTo(3)).through(() => new Pairs());
    expect(await iterate(flow)).toEqual([[0, 1], [2]]);
    expect(await iterate(flow)).toEqual([[0, 1], [2]]);
  });

  it('cuts what a processor answers beyond the demand', async () => {
    const flow = from(upTo(10)).through({
      process: (batch: readonly number[]) => batch.flatMap((n) => [n, n, n]),
    });
    expect(await pipe(flow, { bufferSize: 2 })).toEqual(upTo(10).flatMap((n) => [n, n, n]));
  });

  it('waits for processors that answer promises', async () => {
    const flow = from(upTo(4)).through({
      process: async (batch: readonly number[]) => batch.map((n) => -n),
      flush: async () => [99],
    });
    expect(await pipe(flow)).toEqual([-0, -1, -2, -3, 99]);
  });

  it('closes the processor once, with the reason of a failure', async () => {
    const well = new Pairs();
    await pipe(from(upTo(3)).through(well));
    expect(well.closes).toEqual([undefined]);
    const failed = new Pairs();
    const run = pipe(
      from(upTo(3))
        .map((n) => {
          if (n === 2) throw new Error('no 2');
          return n;
        })
        .through(failed),
    );
    await expect(run).rejects.toMatchObject({ code: 'SW_OPERATOR_FAILED', stage: 'map' });
    expect(failed.closes).toHaveLength(1);
    expect(failed.closes[0]).toMatchObject({ code: 'SW_OPERATOR_FAILED' });
  });

  it.each(['process', 'flush'] as const)(
    'names the processor whose %s fails, at once or later',
    async (method) => {
      const cause = new Error('on purpose');
      for (const fails of [
        () => {
          throw cause;
        },
        async () => {
          throw cause;
        },
      ]) {
        const processor = { name: 'mill', process: (batch: readonly number[]) => batch, [method]: fails };
        await expect(pipe(from(upTo(3)).through(processor))).rejects.toMatchObject({
          code: 'SW_OPERATOR_FAILED',
          stage: 'mill',
          cause,
        });
      }
    },
  );

  it('keeps positions before what is held back', async () => {
    const source = new ListSource(upTo(6), { size: () => 3 });
    const committed: number[][] = [];
    const sink = { write: () => void committed.push([...source.commits]) };
    await new ConcurrentPipeline(from(source).through(new Pairs()), sink)
      .bufferSize(6)
      .commitEvery({ items: 1 })
      .run();
    expect(committed.flat().filter((position) => position === 3)).toEqual([]);
    expect(source.commits.at(-1)).toBe(6);
  });

  it('keeps positions before items that went on while others were held back', async () => {
    const source = new ListSource(upTo(6), { size: () => 3 });
    const receipts = new Map<string, DeferredReceipt>();
    const all = new Deferred();
    const run = new ConcurrentPipeline(from(source).through(new Pairs()), {
      flush: () => all.promise,
      batching: { maxItems: 1 },
      write: (batch: readonly (readonly number[])[], context: WriteContext) => {
        receipts.set(batch.join(), context.defer());
      },
    })
      .bufferSize(12)
      .maxConcurrency(3)
      .commitEvery({ items: 1 })
      .run();
    await settle();
    expect([...receipts.keys()]).toEqual(['0,1', '2,3', '4,5']);
    receipts.get('4,5')?.settle();
    receipts.get('2,3')?.settle();
    await settle();
    expect(source.commits).toEqual([]);
    receipts.get('0,1')?.settle();
    all.resolve();
    await run;
    expect(source.commits.at(-1)).toBe(6);
  });

  it('keeps positions before all that a processor made of several batches, in whatever order', async () => {
    // Turns everything round at the end: the first batch leaves last.
    let all: number[] = [];
    const source = new ListSource(upTo(4), { size: () => 2 });
    const receipts: DeferredReceipt[] = [];
    const processor: Processor<number, number> = {
      process: (batch) => {
        all = [...batch].reverse().concat(all);
        return [];
      },
      flush: () => all,
    };
    const written = new Deferred();
    const run = new ConcurrentPipeline(from(source).through(processor), {
      flush: () => written.promise,
      batching: { maxItems: 1 },
      write: (_: readonly number[], context: WriteContext) => void receipts.push(context.defer()),
    })
      .bufferSize(12)
      .maxConcurrency(4)
      .commitEvery({ items: 1 })
      .run();
    await settle();
    expect(receipts).toHaveLength(4);
    for (const receipt of receipts.slice(0, 3)) receipt.settle();
    await settle();
    expect(source.commits).toEqual([]);
    receipts[3]?.settle();
    written.resolve();
    await run;
    expect(source.commits.at(-1)).toBe(4);
  });

  it('does not run a processor for batches that were emptied before it, and keeps their positions', async () => {
    const source = new ListSource(upTo(10), { size: () => 2 });
    const sizes: number[] = [];
    const flow = from(source)
      .filter((n) => n > 6)
      .through({
        process: (batch: readonly number[]) => {
          sizes.push(batch.length);
          return batch;
        },
      });
    expect(await pipe(flow)).toEqual([7, 8, 9]);
    expect(sizes).toEqual([1, 2]);
    expect(source.commits).toEqual([10]);
  });

  it('takes nothing but processors', () => {
    expect(() => from([1]).through({} as never)).toThrow(
      expect.objectContaining({ code: 'SW_OPTION_INVALID' }),
    );
  });
});
