import { afterEach, describe, expect, it, vi } from 'vitest';
import { collect, count, print, throughput, type ThroughputReading } from '../../src/builtin/sinks.ts';
import { range } from '../../src/builtin/sources.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { WriteContext } from '../../src/sink.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);
afterEach(() => {
  vi.restoreAllMocks();
});

const numbers = (end: number): number[] => Array.from({ length: end }, (_, i) => i);

describe('collect', () => {
  it('keeps every item in order', async () => {
    const sink = collect<number>();
    await time().run(new ConcurrentPipeline(range(0, 5000), sink).run());
    expect(sink.items).toEqual(numbers(5000));
  });
});

describe('count', () => {
  it('counts, and keeps nothing', async () => {
    const sink = count();
    await time().run(new ConcurrentPipeline(range(0, 5000), sink).maxConcurrency(3).run());
    expect(sink.count).toBe(5000);
  });
});

describe('print', () => {
  it('writes a line for each item, in order, as format makes it', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    await time().run(
      new ConcurrentPipeline(
        range(0, 3),
        print((n: number) => `item ${n}`),
      )
        .maxConcurrency(5)
        .run(),
    );
    expect(log.mock.calls).toEqual([['item 0'], ['item 1'], ['item 2']]);
  });

  it('gives the item itself to the console without a format', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    const item = { id: 1 };
    await time().run(new ConcurrentPipeline([item], print()).run());
    expect(log.mock.calls[0]?.[0]).toBe(item);
  });
});

describe('print, given what is no function', () => {
  it('refuses it', () => {
    expect(() => print(5 as never)).toThrow('print must be a function, got 5.');
  });
});

describe('throughput', () => {
  it('tells items and their rate over the run, also after it', async () => {
    const sink = throughput();
    await time().advance(10_000);
    const pipeline = new ConcurrentPipeline(range(0, 1000), {
      ...sink,
      write: async (batch: readonly number[], context: WriteContext) => {
        await time().sleep(10);
        await sink.write(batch, context);
      },
    }).bufferSize(200);
    const report = await time().run(pipeline.run());
    await time().advance(60_000);
    expect(sink.reading()).toEqual({ items: 1000, itemsPerSecond: (1000 * 1000) / report.durationMs });
  });

  it('says how it goes every so often', async () => {
    const readings: ThroughputReading[] = [];
    const sink = throughput({ everyMs: 100, onReading: (reading) => readings.push(reading) });
    const pipeline = new ConcurrentPipeline(range(0, 100), {
      ...sink,
      batching: { maxItems: 10 },
      write: async (batch: readonly number[], context: WriteContext) => {
        await time().sleep(50);
        await sink.write(batch, context);
      },
    });
    await time().run(pipeline.run());
    expect(readings.map(({ items }) => items)).toEqual([20, 40, 60, 80, 100]);
    expect(readings[0]?.itemsPerSecond).toBe(200);
  });

  it('has a rate of 0 before any time has passed', () => {
    expect(throughput().reading()).toEqual({ items: 0, itemsPerSecond: 0 });
  });

  it('refuses what is no duration, no function, and an unknown option', () => {
    expect(() => throughput({ everyMs: -1 })).toThrow(
      expect.objectContaining({ option: 'throughput.everyMs' }),
    );
    expect(() => throughput({ every: 1 } as never)).toThrow(
      expect.objectContaining({ option: 'throughput.every' }),
    );
    expect(() => throughput({ onReading: 5 as never })).toThrow(
      expect.objectContaining({ option: 'throughput.onReading' }),
    );
  });
});
