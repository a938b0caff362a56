import { describe, expect, it } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { RateLimit } from '../../src/policy/rate-limit.ts';
import { CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { bad, LetterSink, outage, ScriptedSink } from './instruments.ts';

const time = useVirtualClock();
const leaks = useLeakCheck(time);

/** A sink that notes when it was given how many items. */
function timed(maxItems?: number): ScriptedSink<number> {
  return new ScriptedSink<number>({
    now: () => time().elapsed,
    ...(maxItems === undefined ? {} : { maxItems }),
  });
}

function paces(sink: ScriptedSink<number>): number[][] {
  return sink.writes.map(({ at, items }) => [at, items.length]);
}

describe('RateLimit', () => {
  it('grants a burst at once, and then as many as come in', async () => {
    const user = new RateLimit({ perSecond: 10, burst: 5 }).join();
    const granted: number[] = [];
    expect(user.reserve(5, () => {})).toBeUndefined();
    for (const items of [1, 2, 1]) user.reserve(items, () => void granted.push(time().elapsed));
    await time().advance(1000);
    expect(granted).toEqual([100, 300, 400]);
  });

  it('lets more than its burst through at once, and makes up for it afterwards', async () => {
    const user = new RateLimit({ perSecond: 10, burst: 5 }).join();
    const granted: number[] = [];
    expect(user.reserve(25, () => {})).toBeUndefined();
    user.reserve(1, () => void granted.push(time().elapsed));
    await time().advance(10_000);
    expect(granted).toEqual([2100]);
  });

  it('gives each of its users as many items as the others, whatever the size of their writes', async () => {
    const limit = new RateLimit({ perSecond: 100, burst: 1 });
    const served = { a: 0, b: 0 };
    const write = (name: 'a' | 'b', items: number, user = limit.join()): void => {
      const granted = (): void => {
        served[name] += items;
        if (time().elapsed < 60_000) again();
      };
      const again = (): void => {
        while (user.reserve(items, granted) === undefined) served[name] += items;
      };
      again();
    };
    write('a', 20);
    write('b', 1);
    await time().advance(60_000);
    expect(served.a + served.b).toBeGreaterThan(5900);
    expect(Math.abs(served.a - served.b)).toBeLessThanOrEqual(40);
    await time().advance(10_000);
  });

  it('gives a newcomer no more than its share for the time it was not there', async () => {
    const limit = new RateLimit({ perSecond: 100, burst: 1 });
    const served = { old: 0, fresh: 0 };
    const write = (name: 'old' | 'fresh', user = limit.join()): void => {
      const again = (): void => {
        const granted = (): void => {
          served[name] += 1;
          if (time().elapsed < 20_000) again();
        };
        while (user.reserve(1, granted) === undefined) served[name] += 1;
      };
      again();
    };
    write('old');
    await time().advance(10_000);
    const before = served.old;
    write('fresh');
    await time().advance(10_000);
    expect(Math.abs(served.old - before - served.fresh)).toBeLessThan(5);
    await time().advance(1000);
  });

  it('counts a new rate at once, for those who wait too', async () => {
    const limit = new RateLimit({ perSecond: 1, burst: 1 });
    const user = limit.join();
    const granted: number[] = [];
    user.reserve(1, () => {});
    for (let write = 0; write < 4; write++) user.reserve(1, () => void granted.push(time().elapsed));
    await time().advance(500);
    limit.perSecond = 100;
    await time().advance(500);
    expect(granted).toEqual([505, 515, 525, 535]);
    expect([limit.perSecond, limit.burst]).toEqual([100, 1]);
  });

  it('forgets who takes a wish back, and leaves no timer', async () => {
    const limit = new RateLimit({ perSecond: 1, burst: 10 });
    const [a, b] = [limit.join(), limit.join()];
    a.reserve(10, () => {});
    const granted: number[] = [];
    const cancel = a.reserve(10, () => void granted.push(-1));
    b.reserve(1, () => void granted.push(time().elapsed));
    cancel?.();
    cancel?.();
    await time().advance(5000);
    expect(granted).toEqual([1000]);
  });

  it('waits as long as it takes at the slowest rate there is', async () => {
    const user = new RateLimit({ perSecond: 1e-7, burst: 1 }).join();
    user.reserve(1, () => {});
    let granted = false;
    const cancel = user.reserve(1, () => {
      granted = true;
    });
    await time().advance(1e9);
    expect(granted).toBe(false);
    cancel?.();
  });

  it.each<[unknown, string]>([
    [{}, 'RateLimit.perSecond'],
    [{ perSecond: 0 }, 'RateLimit.perSecond'],
    [{ perSecond: Number.POSITIVE_INFINITY }, 'RateLimit.perSecond'],
    [{ perSecond: 5, burst: 0 }, 'RateLimit.burst'],
    [{ perSecond: 5, bursts: 1 }, 'RateLimit.bursts'],
  ])('refuses %j at once', (options, option) => {
    expect(() => new RateLimit(options as never)).toThrow(new RegExp(`^${option} `));
  });

  it('refuses a rate that cannot be, and keeps the old one', () => {
    const limit = new RateLimit({ perSecond: 5 });
    expect(() => {
      limit.perSecond = Number.NaN;
    }).toThrow(OptionError);
    expect(limit.perSecond).toBe(5);
  });
});

describe('ConcurrentPipeline.rateLimit', () => {
  it('paces the writes', async () => {
    const sink = timed(10);
    const pipe = new ConcurrentPipeline(new CountingSource(50), sink)
      .bufferSize(20)
      .rateLimit(new RateLimit({ perSecond: 100, burst: 20 }));
    const report = await time().run(pipe.run());
    expect(paces(sink)).toEqual([
      [0, 10],
      [0, 10],
      [100, 10],
      [200, 10],
      [300, 10],
    ]);
    expect(report).toMatchObject({ written: 50, retried: 0 });
    expect(sink.writes.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  it('is not stuck with a batch that is larger than the burst', async () => {
    const sink = timed(10);
    const pipe = new ConcurrentPipeline(new CountingSource(40), sink)
      .bufferSize(20)
      .rateLimit(new RateLimit({ perSecond: 100, burst: 3 }));
    await time().run(pipe.run());
    expect(paces(sink)).toEqual([
      [0, 10],
      [100, 10],
      [200, 10],
      [300, 10],
    ]);
  });

  it('is shared fairly by several pipelines', async () => {
    const limit = new RateLimit({ perSecond: 1000, burst: 10 });
    const sinks = [timed(10), timed(1)];
    const runs = sinks.map((sink) =>
      new ConcurrentPipeline(new CountingSource(500), sink).bufferSize(20).rateLimit(limit).run(),
    );
    await time().advance(800);
    const [large, small] = sinks.map(({ items }) => items.length) as [number, number];
    expect(large + small).toBeGreaterThanOrEqual(800);
    expect(Math.abs(large - small)).toBeLessThanOrEqual(20);
    await time().run(Promise.all(runs));
    expect(time().elapsed).toBeLessThan(1100);
  });

  it('counts a new rate while it runs', async () => {
    const limit = new RateLimit({ perSecond: 1, burst: 1 });
    const sink = timed(10);
    const run = new ConcurrentPipeline(new CountingSource(1000), sink).rateLimit(limit).run();
    await time().advance(1000);
    expect(sink.items.length).toBe(10);
    limit.perSecond = 100_000;
    await time().run(run);
    expect(time().elapsed).toBeLessThan(1100);
  });

  it('counts what is written again', async () => {
    const sink = new ScriptedSink<number>({
      maxItems: 10,
      now: () => time().elapsed,
      write: (_, index) => {
        if (index === 0) throw outage();
      },
    });
    const pipe = new ConcurrentPipeline(new CountingSource(20), sink)
      .bufferSize(20)
      .retry({ attempts: 2, jitter: 0, backoff: { firstMs: 1 } })
      .rateLimit(new RateLimit({ perSecond: 100, burst: 10 }));
    await time().run(pipe.run());
    expect(sink.writes.map(({ at }) => at)).toEqual([0, 100, 200]);
  });

  it('leaves no timer and no listener when the run is aborted, and gives back what it had not used', async () => {
    const limit = new RateLimit({ perSecond: 1, burst: 5 });
    const sink = timed(5);
    const controller = leaks.controller();
    const pipe = new ConcurrentPipeline(new CountingSource(50), sink).bufferSize(20).rateLimit(limit);
    const run = rejection(pipe.run({ signal: controller.signal }));
    const other = timed(5);
    const second = new ConcurrentPipeline(new CountingSource(5), other).rateLimit(limit).run();
    await time().advance(100);
    expect([sink.items.length, other.items.length]).toEqual([5, 0]);
    controller.abort(new Error('enough'));
    await time().run(run);
    await time().run(second);
    expect(time().elapsed).toBe(5000);
    expect(pipe.report).toMatchObject({ written: 5 });
  });

  it('writes nothing that was granted while the run is paused', async () => {
    const sink = timed(10);
    const pipe = new ConcurrentPipeline(new CountingSource(20), sink)
      .bufferSize(20)
      .rateLimit(new RateLimit({ perSecond: 100, burst: 10 }));
    const run = pipe.run();
    await time().settle();
    await time().run(pipe.pause());
    await time().advance(1000);
    expect(sink.items.length).toBe(10);
    pipe.resume();
    expect((await time().run(run)).written).toBe(20);
  });

  it('paces what halving writes', async () => {
    const sink = new ScriptedSink<number>({
      atomic: true,
      maxItems: 4,
      now: () => time().elapsed,
      write: ({ items }) => {
        if (items.includes(3)) throw bad();
      },
    });
    const letters = new LetterSink();
    const pipe = new ConcurrentPipeline(new CountingSource(4), sink)
      .rateLimit(new RateLimit({ perSecond: 10, burst: 4 }))
      .deadLetter(letters);
    await time().run(pipe.run());
    expect(sink.writes.map(({ at, items }) => [at, items.length])).toEqual([
      [0, 4],
      [200, 2],
      [400, 2],
      [500, 1],
      [600, 1],
    ]);
    expect(letters.bad).toEqual([3]);
  });

  it('refuses anything else at once', () => {
    const pipe = new ConcurrentPipeline([1], () => {});
    for (const limit of [5, {}, undefined]) {
      expect(() => pipe.rateLimit(limit as never)).toThrow(/^rateLimit /);
    }
  });
});
