/** The policies of a subscription: retry, dead letter, breaker, rate limit, timeout. */

import { describe, expect, it } from 'vitest';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { SubscribeOptions } from '../../src/dispatch/subscribe-options.ts';
import { OptionError } from '../../src/errors.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { RateLimit } from '../../src/policy/rate-limit.ts';
import { CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { bad, LetterSink, outage, ScriptedSink } from '../policy/instruments.ts';
import { useVirtualClock } from '../clock.ts';
import { HandFeed, numbers, Recorder } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck(time);

const builder = <T>(): DispatchedPipelineBuilder<T> => new DispatchedPipelineBuilder<T>({ logger: null });
const isPoison = (item: number): boolean => item % 10 === 3;

function picky(name = 'picky'): ScriptedSink<number> {
  return new ScriptedSink<number>({
    name,
    atomic: true,
    write: ({ items }) => {
      if (items.some(isPoison)) throw bad();
    },
  });
}

describe('a subscription with retry', () => {
  it('tries again on its own branch alone', async () => {
    const dispatcher = builder<number>().broadcast();
    const source = new CountingSource(100);
    const good = new Recorder<number>();
    const weak = new ScriptedSink<number>({
      write: ({ items, attempt }) => {
        if (attempt < 3 && items[0] === 0) throw outage();
      },
    });
    await dispatcher.subscribeSink(good);
    const subscription = await dispatcher.subscribeSink(weak, undefined, { retry: { attempts: 3 } });
    const report = await time().run(new ConcurrentPipeline(source, dispatcher.createSink(10)).run());
    expect([good.items.length, weak.items.length, report.written]).toEqual([100, 100, 100]);
    expect(good.batches.length).toBe(new Set(good.batches).size);
    expect(subscription.status).toMatchObject({ delivered: 100, retried: 2, failed: 0 });
    expect(source.committed).toBe(100);
  });

  it('moves no position past what only waits in one branch', async () => {
    const dispatcher = builder<number>().broadcast();
    const source = new CountingSource(10);
    await dispatcher.subscribeSink(new Recorder<number>());
    const weak = new ScriptedSink<number>({
      write: ({ attempt }) => {
        if (attempt === 1) throw outage();
      },
    });
    await dispatcher.subscribeSink(weak, undefined, {
      retry: { attempts: 2, jitter: 0, backoff: { firstMs: 1000 } },
    });
    const run = new ConcurrentPipeline(source, dispatcher.createSink(10)).commitEvery({ items: 1 }).run();
    await time().advance(999);
    expect(source.committed).toBe(0);
    await time().run(run);
    expect(source.committed).toBe(10);
  });

  it('holds its seat: no later item of a key overtakes one that is written again', async () => {
    const dispatcher = builder<number>().partition(['all'], () => 'all', { key: (item) => item % 7 });
    const seen = new Map<number, number[]>();
    let writes = 0;
    const sink = new ScriptedSink<number>({
      maxItems: 5,
      write: ({ items, attempt }) =>
        time()
          .sleep(3)
          .then(() => {
            writes += 1;
            if (attempt === 1 && writes % 3 === 0) throw outage();
            for (const item of items) seen.set(item % 7, [...(seen.get(item % 7) ?? []), item]);
          }),
    });
    const subscription = await dispatcher.subscribeSink(sink, 'all', {
      maxConcurrency: 4,
      retry: { attempts: 2, backoff: { firstMs: 50 } },
    });
    await time().run(new ConcurrentPipeline(new CountingSource(300), dispatcher.createSink(20)).run());
    expect(subscription.status.retried).toBeGreaterThan(5);
    expect([...seen.values()].flat().length).toBe(300);
    for (const items of seen.values()) expect(items).toEqual(items.toSorted((a, b) => a - b));
  });

  it('fails the dispatcher when its attempts are used up', async () => {
    const dispatcher = builder<number>().broadcast();
    const source = new CountingSource(10);
    const letters = new LetterSink();
    const sink = new ScriptedSink<number>({
      write: () => {
        throw outage();
      },
    });
    await dispatcher.subscribeSink(sink, undefined, { retry: { attempts: 2 }, deadLetter: letters });
    const error = await time().run(
      rejection(new ConcurrentPipeline(source, dispatcher.createSink(10)).run()),
    );
    expect(error).toMatchObject({ code: 'SW_SINK_FAILED' });
    expect([sink.writes.length, letters.writes.length, source.committed]).toEqual([2, 0, 0]);
    expect(letters.calls).toEqual(['open', 'close: reason']);
  });

  it('does not hold the abort of a run that feeds it', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new ScriptedSink<number>({
      write: () => {
        throw outage();
      },
    });
    await dispatcher.subscribeSink(sink, undefined, {
      retry: { attempts: 9, backoff: { firstMs: 60_000, maxMs: 60_000 } },
    });
    const pipe = new ConcurrentPipeline(new CountingSource(10), dispatcher.createSink(10));
    const run = rejection(pipe.run());
    await time().advance(10);
    await time().run(pipe.abort());
    expect(await time().run(run)).toMatchObject({ code: 'SW_PIPELINE_ABORTED' });
    expect(time().elapsed).toBe(10);
    expect(sink.calls.at(-1)).toBe('close: reason');
  });

  it.each([
    ['keeps the order of a key where several write at once', true, [2, 3, 4]],
    ['repeats only what failed where order is nobody’s concern', false, [2]],
  ])('%s', async (_, isKeyed, again) => {
    const dispatcher = isKeyed
      ? builder<number>().partition(['all'], () => 'all', { key: () => 'one' })
      : builder<number>().broadcast();
    const writes: (readonly number[])[] = [];
    const sink = new ScriptedSink<number>({
      write: ({ items, attempt }) => {
        writes.push(items);
        if (attempt === 1) throw outage(1);
      },
    });
    const options = { maxConcurrency: 2, retry: { attempts: 2 } };
    await dispatcher.subscribeSink(sink, (isKeyed ? 'all' : undefined) as never, options);
    const feed = new HandFeed(dispatcher);
    const write = await feed.write(1, 2, 3, 4);
    await time().advance(60_000);
    expect([writes, write.receipt]).toEqual([[[1, 2, 3, 4], again], 'settled']);
    await feed.close();
  });
});

describe('a subscription with deadLetter', () => {
  it.each(['broadcast', 'demand', 'partition', 'keyed'])('counts exactly (%s)', async (kind) => {
    const dispatcher =
      kind === 'broadcast'
        ? builder<number>().broadcast()
        : kind === 'demand'
          ? builder<number>().demand()
          : builder<number>().partition(
              ['all'],
              () => 'all',
              kind === 'keyed' ? { key: (item: number) => item % 20 } : {},
            );
    const source = new CountingSource(200);
    const letters = new LetterSink();
    const sink = picky();
    const subscription = await (
      dispatcher as { subscribeSink: (...args: unknown[]) => Promise<{ status: unknown }> }
    ).subscribeSink(sink, kind === 'partition' || kind === 'keyed' ? 'all' : undefined, {
      deadLetter: letters,
      maxConcurrency: kind === 'partition' ? 1 : 3,
    });
    const pipe = new ConcurrentPipeline(source, dispatcher.createSink(25));
    await time().run(pipe.run());
    expect(subscription.status).toMatchObject({ delivered: 180, deadLettered: 20, failed: 0 });
    expect([sink.items.length, letters.items.length, source.committed]).toEqual([180, 20, 200]);
    for (const { item, after, upTo } of letters.items) {
      expect(item as number).toBeGreaterThanOrEqual((after as number | undefined) ?? 0);
      expect(item as number).toBeLessThan(upTo as number);
    }
  });

  it('may share it with others: it is opened once, and closed last', async () => {
    const dispatcher = builder<number>().broadcast();
    const calls: string[] = [];
    const letters = new LetterSink({ flush: () => void calls.push('flush letters') });
    const close = letters.close.bind(letters);
    letters.close = (reason) => {
      calls.push('close letters');
      close(reason);
    };
    const sinks = [picky('a'), picky('b')];
    for (const sink of sinks) {
      const end = sink.close.bind(sink);
      sink.close = (reason) => {
        calls.push(`close ${sink.name}`);
        end(reason);
      };
      await dispatcher.subscribeSink(sink, undefined, { deadLetter: letters });
    }
    await time().run(new ConcurrentPipeline(new CountingSource(40), dispatcher.createSink(8)).run());
    expect(letters.items.map(({ item, stage }) => `${String(item)} ${stage}`).toSorted()).toEqual(
      ['a', 'b'].flatMap((name) => [3, 13, 23, 33].map((item) => `${item} ${name}`)).toSorted(),
    );
    expect(letters.calls.filter((call) => call === 'open').length).toBe(1);
    expect(calls.at(-1)).toBe('close letters');
    expect(calls).toContain('flush letters');
  });

  it('has an item durably before the receipt of its write settles', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    let settle: () => void = () => {};
    const letters = new LetterSink({
      write: () => ({
        durable: new Promise<void>((resolve) => {
          settle = resolve;
        }),
      }),
      flush: () => settle(),
    });
    await dispatcher.subscribeSink(picky(), undefined, { deadLetter: letters });
    const write = await feed.write(1, 2, 3, 4);
    expect([letters.bad, write.receipt]).toEqual([[3], 'open']);
    const flush = feed.flush();
    await flush.promise;
    await time().settle();
    expect(write.receipt).toBe('settled');
    await feed.close();
  });

  it('stops the dispatcher when it fails, also where the loss of the branch was consented to', async () => {
    const dispatcher = builder<number>().broadcast();
    const source = new CountingSource(40);
    const letters = new LetterSink({
      write: () => {
        throw new Error('full');
      },
    });
    const subscription = await dispatcher.subscribeSink(picky(), undefined, {
      deadLetter: letters,
      onError: 'detach',
    });
    await dispatcher.subscribeSink(new Recorder<number>());
    const error = await time().run(rejection(new ConcurrentPipeline(source, dispatcher.createSink(8)).run()));
    expect(error).toMatchObject({ code: 'SW_DEAD_LETTER_FAILED', cause: { message: 'full' } });
    expect([source.committed, subscription.status.state]).toEqual([0, 'closed']);
  });

  it('that cannot be opened rejects the subscription, and its sink is left alone', async () => {
    const dispatcher = builder<number>().broadcast();
    const letters = Object.assign(new LetterSink(), {
      open: () => {
        throw new Error('no such folder');
      },
    });
    const sink = picky();
    const error = await rejection(dispatcher.subscribeSink(sink, undefined, { deadLetter: letters }));
    expect(error).toMatchObject({ code: 'SW_DEAD_LETTER_FAILED' });
    expect([sink.calls, dispatcher.sinks()]).toEqual([[], []]);
    await dispatcher.abort();
  });

  it("with onError 'detach' gets what its sink did not take", async () => {
    const dispatcher = builder<number>().broadcast();
    const source = new CountingSource(60);
    const letters = new LetterSink();
    const good = new Recorder<number>();
    const sink = new ScriptedSink<number>({
      name: 'weak',
      maxItems: 5,
      write: async (_, index) => {
        await time().sleep(10);
        if (index >= 2) throw outage();
      },
    });
    await dispatcher.subscribeSink(good);
    const subscription = await dispatcher.subscribeSink(sink, undefined, {
      deadLetter: letters,
      onError: 'detach',
      bufferSize: 20,
      retry: { attempts: 2, backoff: { firstMs: 10 } },
    });
    const report = await time().run(new ConcurrentPipeline(source, dispatcher.createSink(10)).run());
    expect(report.written).toBe(60);
    const { status } = subscription;
    expect(status).toMatchObject({ state: 'detached', delivered: 10, failed: 0 });
    // What came until it left: every item once, in its sink or in its dead letter.
    const got = [...sink.items, ...(letters.bad as number[])];
    expect(got).toEqual(numbers(got.length));
    expect([status.deadLettered, letters.bad.length]).toEqual([got.length - 10, got.length - 10]);
    expect(got.length).toBeGreaterThan(20);
    expect(letters.items.map(({ attempts }) => attempts)).toEqual([
      ...new Array<number>(5).fill(2),
      ...new Array<number>(got.length - 15).fill(0),
    ]);
    expect([good.items.length, source.committed]).toEqual([60, 60]);
    expect(letters.calls.at(-1)).toBe('close');
  });

  it("with onError 'detach' and no dead letter counts as failed what waited to be written again", async () => {
    const dispatcher = builder<number>().broadcast();
    const source = new CountingSource(10);
    let isFirst = true;
    const sink = new ScriptedSink<number>({
      maxItems: 5,
      write: async () => {
        const fails = isFirst;
        isFirst = false;
        if (fails) throw outage();
        await time().sleep(10);
        throw bad();
      },
    });
    await dispatcher.subscribeSink(new Recorder<number>());
    const subscription = await dispatcher.subscribeSink(sink, undefined, {
      onError: 'detach',
      maxConcurrency: 2,
      retry: { attempts: 5, backoff: { firstMs: 1000 } },
    });
    await time().run(new ConcurrentPipeline(source, dispatcher.createSink(10)).run());
    expect(subscription.status).toMatchObject({ state: 'detached', delivered: 0, failed: 10, inFlight: 0 });
    expect(source.committed).toBe(10);
  });
});

describe('a subscription with the other policies', () => {
  it('closes its demand while its breaker is open', async () => {
    const dispatcher = builder<number>().broadcast();
    let isDown = true;
    const sink = new ScriptedSink<number>({
      now: () => time().elapsed,
      write: () => {
        if (isDown) throw outage();
      },
    });
    const good = new Recorder<number>();
    await dispatcher.subscribeSink(good);
    const subscription = await dispatcher.subscribeSink(sink, undefined, {
      bufferSize: 20,
      circuitBreaker: { failures: 2, resetMs: 1000 },
    });
    const source = new CountingSource(100);
    const run = new ConcurrentPipeline(source, dispatcher.createSink(10)).bufferSize(20).run();
    await time().advance(500);
    expect(subscription.status).toMatchObject({
      demand: 0,
      buffered: 10,
      inFlight: 10,
      failed: 0,
      breaker: { state: 'open', openings: 1 },
    });
    expect(good.items.length).toBe(20);
    isDown = false;
    const report = await time().run(run);
    expect([sink.items.length, good.items.length, report.written]).toEqual([100, 100, 100]);
    expect(subscription.status.breaker).toEqual({ state: 'closed', openings: 1 });
  });

  it('shares one breaker and one limit among its seats', async () => {
    const dispatcher = builder<number>().partition(['all'], () => 'all', { key: (item) => item });
    let isDown = true;
    let tries = 0;
    const sink = new ScriptedSink<number>({
      maxItems: 1,
      write: async () => {
        tries += 1;
        await time().sleep(1);
        if (isDown) throw outage();
      },
    });
    await dispatcher.subscribeSink(sink, 'all', {
      maxConcurrency: 4,
      circuitBreaker: { failures: 4, resetMs: 1000, maxResetMs: 1000 },
      rateLimit: new RateLimit({ perSecond: 100, burst: 100 }),
    });
    const run = new ConcurrentPipeline(new CountingSource(40), dispatcher.createSink(40)).run();
    await time().advance(900);
    expect(tries).toBe(4);
    await time().advance(2000);
    expect(tries).toBe(6);
    isDown = false;
    await time().run(run);
    expect(sink.items.toSorted((a, b) => a - b)).toEqual(numbers(40));
  });

  it('gives up a write that takes too long', async () => {
    const dispatcher = builder<number>().broadcast();
    const sink = new ScriptedSink<number>({
      write: (_, index) => (index === 0 ? time().sleep(60_000) : undefined),
    });
    const subscription = await dispatcher.subscribeSink(sink, undefined, {
      writeTimeout: 100,
      retry: { attempts: 2 },
    });
    await time().run(new ConcurrentPipeline(new CountingSource(10), dispatcher.createSink(10)).run());
    expect(time().elapsed).toBeLessThan(1000);
    expect(subscription.status).toMatchObject({ delivered: 10, timedOut: 1, retried: 1 });
    await time().advance(60_000);
    expect(subscription.status).toMatchObject({ delivered: 10 });
  });

  it.each<[SubscribeOptions<number>, string]>([
    [{ retry: { attempts: 0 } }, 'subscribeSink.retry.attempts'],
    [{ circuitBreaker: { failures: 0 } }, 'subscribeSink.circuitBreaker.failures'],
    [{ circuitBreaker: { resetMs: -1 } }, 'subscribeSink.circuitBreaker.resetMs'],
    [{ rateLimit: 5 as never }, 'subscribeSink.rateLimit'],
    [{ writeTimeout: 0 }, 'subscribeSink.writeTimeout'],
  ])('checks %j', async (options, option) => {
    const dispatcher = builder<number>().broadcast();
    const error = await rejection(dispatcher.subscribeSink(picky(), undefined, options));
    expect(error).toBeInstanceOf(OptionError);
    expect((error as OptionError).option).toBe(option);
    await expect(
      dispatcher.subscribeSink(picky(), undefined, { deadLetter: 5 as never }),
    ).rejects.toMatchObject({ code: 'SW_SINK_INVALID' });
    await dispatcher.abort();
  });
});
