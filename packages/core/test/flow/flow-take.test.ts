import { describe, expect, it } from 'vitest';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { collect } from '../../src/builtin/sinks.ts';
import { iterate, ListSource, pipe, upTo } from './instruments.ts';

describe('Flow.take', () => {
  it('asks its source only for what is left', async () => {
    const source = new ListSource(upTo(100), { size: () => 4 });
    expect(await pipe(from(source).take(10))).toEqual(upTo(10));
    expect(source.demands).toEqual([10, 6, 2]);
    expect(source.handedOut).toBe(10);
  });

  it('never pulls for nothing', async () => {
    const source = new ListSource(upTo(5));
    expect(await pipe(from(source).take(0))).toEqual([]);
    expect(source.demands).toEqual([]);
    expect(source.closes).toEqual([undefined]);
  });

  it('ends a source that never does', async () => {
    const source = { pull: (demand: number) => new Array<string>(demand).fill('again') };
    expect(await iterate(from(source).take(3))).toEqual(['again', 'again', 'again']);
  });

  it('takes no more than its count of a merge, whose branches were asked for more before', async () => {
    const first = new ListSource(upTo(100), { size: () => 1 });
    const second = new ListSource(upTo(100), { isAsync: () => true });
    const taken = await pipe(from<number>(first).merge(second).take(10));
    expect(taken).toHaveLength(10);
  });

  it.each([
    ['flatMap', (source: ListSource<number>) => from(source).flatMap((n) => [n, n, n])],
    [
      'an asynchronous map',
      (source: ListSource<number>) => from(source).map(async (n) => n, { concurrency: 4 }),
    ],
    [
      'merge',
      (source: ListSource<number>) => from(source).merge(new ListSource(upTo(50), { isAsync: () => true })),
    ],
    [
      'through',
      (source: ListSource<number>) =>
        from(source).through({ process: (batch) => batch.flatMap((n) => [n, n]) }),
    ],
  ])('ends well where %s holds more than is taken', async (_, build) => {
    const sink = collect<number>();
    const report = await new ConcurrentPipeline(build(new ListSource(upTo(50))).take(4), sink).run();
    expect(sink.items).toHaveLength(4);
    expect(report.outcome).toBe('completed');
  });
});

describe('Flow.drop', () => {
  it('drops the first items over several batches, and keeps their positions', async () => {
    const source = new ListSource(upTo(10), { size: () => 3 });
    expect(await pipe(from(source).drop(7))).toEqual([7, 8, 9]);
    expect(source.commits).toEqual([10]);
  });

  it('drops everything where there is less', async () => {
    const source = new ListSource(upTo(10), { size: () => 3 });
    expect(await pipe(from(source).drop(70))).toEqual([]);
    expect(source.commits).toEqual([10]);
  });
});
