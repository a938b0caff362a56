import { describe, expect, it } from 'vitest';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { StreamWeldError } from '../../src/errors.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { DeadLetter } from '../../src/policy/dead-letter.ts';
import type { Accepted, Sink } from '../../src/sink.ts';
import { CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { bad, LetterSink, outage, ScriptedSink, withoutFlush } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck(time);

const isPoison = (item: number): boolean => item % 10 === 3;

/** A sink that refuses a write with poison in it. */
function picky(atomic: boolean, names: boolean): ScriptedSink<number> {
  return new ScriptedSink<number>({
    atomic,
    write: ({ items }) => {
      const failed = items.flatMap((item, at) => (isPoison(item) ? [at] : []));
      if (failed.length > 0) throw bad(...(names ? failed : []));
    },
  });
}

function pipeline(
  sink: Sink<number>,
  letters: Sink<DeadLetter>,
  items = 8,
  source = new CountingSource(items),
) {
  return new ConcurrentPipeline(source, sink).bufferSize(16).deadLetter(letters);
}

describe('a dead letter whose flush fails', () => {
  /** Accepts, and is never durable: its flush rejects, and its promises stay open. */
  const never = (): Sink<DeadLetter> => ({
    name: 'letters',
    write: () => ({ durable: new Promise<void>(() => {}) }),
    flush: () => Promise.reject(new Error('disk full')),
  });

  it.each([
    ['a sink like any other', false],
    ['a sink that keeps positions', true],
  ])('ends the run of %s, which waits for nothing any more', async (_what, keepsPositions) => {
    const sink: Sink<number> = {
      name: 'picky',
      keepsPositions,
      atomic: true,
      write: (batch) => {
        const failed = batch.flatMap((item, at) => (isPoison(item) ? [at] : []));
        if (failed.length > 0) throw bad(...failed);
      },
    };
    const store = new MemoryCheckpointStore();
    const run = pipeline(sink, never()).checkpoint(store, 'job').run();
    const error = await time().run(rejection(run));
    expect(error).toMatchObject({ code: 'SW_DEAD_LETTER_FAILED', stage: 'letters' });
    expect((error as StreamWeldError).cause).toMatchObject({ message: 'disk full' });
    expect(store.load('job').size).toBe(0);
  });
});

describe('ConcurrentPipeline.deadLetter', () => {
  it('tells its sink what it is', async () => {
    const letters = new LetterSink();
    const sink = new ScriptedSink<number>();
    await time().run(pipeline(sink, letters).run());
    expect([letters.context?.isDeadLetter, sink.context?.isDeadLetter]).toEqual([true, undefined]);
  });

  it('gets the items that the sink names, and the rest is written again', async () => {
    const sink = picky(false, true);
    const letters = new LetterSink();
    const report = await time().run(pipeline(sink, letters).run());
    expect(sink.log).toEqual(['0 1 2 3 4 5 6 7 #1', '0 1 2 4 5 6 7 #2']);
    expect(letters.bad).toEqual([3]);
    expect(report).toMatchObject({ read: 8, written: 7, deadLettered: 1, retried: 0 });
  });

  it('gets what halving finds, the left half first, where an atomic sink names nothing', async () => {
    const sink = picky(true, false);
    const letters = new LetterSink();
    await time().run(pipeline(sink, letters).run());
    expect(sink.log).toEqual([
      '0 1 2 3 4 5 6 7 #1',
      '0 1 2 3 #2',
      '0 1 #3',
      '2 3 #3',
      '2 #4',
      '3 #4',
      '4 5 6 7 #2',
    ]);
    expect([letters.bad, sink.items]).toEqual([[3], [0, 1, 2, 4, 5, 6, 7]]);
    expect(letters.items[0]?.attempts).toBe(4);
  });

  it('has one budget of attempts over all halves', async () => {
    let outages = 0;
    const sink = new ScriptedSink<number>({
      atomic: true,
      write: ({ items }) => {
        if (items.length > 2 && items.includes(3)) throw bad();
        outages += 1;
        throw outage();
      },
    });
    const pipe = pipeline(sink, new LetterSink()).retry({ attempts: 3, jitter: 0 });
    await time().run(rejection(pipe.run()));
    expect(outages).toBe(3);
  });

  it('is not hurried by a pause in the middle of halving, which does not wait for the rest', async () => {
    const sink = new ScriptedSink<number>({
      atomic: true,
      write: async ({ items }) => {
        await time().sleep(10);
        if (items.includes(7)) throw bad();
      },
    });
    const letters = new LetterSink();
    const pipe = pipeline(sink, letters);
    const run = pipe.run();
    await time().advance(15);
    // The left half is being written.
    const paused = pipe.pause();
    await time().run(paused);
    expect([sink.log, sink.items]).toEqual([
      ['0 1 2 3 4 5 6 7 #1', '0 1 2 3 #2'],
      [0, 1, 2, 3],
    ]);
    await time().advance(1000);
    expect(sink.writes.length).toBe(2);
    pipe.resume();
    await time().run(run);
    expect([letters.bad, sink.items]).toEqual([[7], [0, 1, 2, 3, 4, 5, 6]]);
  });

  it('is not written to while it is flushed', async () => {
    let isFlushing = false;
    let breaches = 0;
    const letters: LetterSink = new LetterSink({
      maxItems: 1,
      write: () => {
        if (isFlushing) breaches += 1;
        return Promise.resolve({ durable: time().sleep(2000) });
      },
      flush: async () => {
        isFlushing = true;
        await time().sleep(100);
        isFlushing = false;
      },
    });
    const source = new CountingSource(400, { size: () => 4, wait: () => time().sleep(20) });
    const run = pipeline(picky(false, true), letters, 0, source).run();
    await time().advance(1900);
    expect(letters.calls.filter((call) => call === 'flush').length).toBe(1);
    await time().run(rejection(run));
    expect(breaches).toBe(0);
    await time().advance(5000);
  });

  it('does not halve a sink that is not atomic', async () => {
    const sink = picky(false, false);
    const letters = new LetterSink();
    const error = await time().run(rejection(pipeline(sink, letters).run()));
    expect(error).toMatchObject({ code: 'SW_SINK_FAILED', retryable: false });
    expect([sink.writes.length, letters.writes.length]).toEqual([1, 0]);
  });

  it('halves it where retry asks for that', async () => {
    const sink = picky(false, false);
    const letters = new LetterSink();
    const pipe = pipeline(sink, letters).retry({ attempts: 1, halve: true });
    await time().run(pipe.run());
    expect(letters.bad).toEqual([3]);
  });

  it('gets a single bad item, whoever refuses it', async () => {
    const sink = picky(false, false);
    const letters = new LetterSink();
    await time().run(
      new ConcurrentPipeline(new CountingSource(8), sink).bufferSize(2).deadLetter(letters).run(),
    );
    expect([letters.bad, sink.items]).toEqual([[3], [0, 1, 2, 4, 5, 6, 7]]);
  });

  it('gets a whole batch of which nothing is good', async () => {
    const sink = new ScriptedSink<number>({
      write: ({ items }) => {
        throw bad(...items.map((_, at) => at));
      },
    });
    const letters = new LetterSink();
    const source = new CountingSource(8);
    const report = await time().run(pipeline(sink, letters, 8, source).run());
    expect(report).toMatchObject({ written: 0, deadLettered: 8 });
    expect([sink.writes.length, source.committed]).toEqual([1, 8]);
  });

  it.each<[number, unknown]>([
    [1, outage(1)],
    [3, outage(1)],
    [1, new Error('down')],
    [3, 'down'],
  ])('gets nothing in an outage that outlives %i attempts (%s)', async (attempts, thrown) => {
    const source = new CountingSource(8);
    const letters = new LetterSink();
    const sink = new ScriptedSink<number>({
      atomic: true,
      write: () => {
        throw thrown;
      },
    });
    const pipe = pipeline(sink, letters, 8, source).retry({ attempts });
    await time().run(rejection(pipe.run()));
    expect([sink.writes.length, letters.writes.length, source.committed]).toEqual([attempts, 0, 0]);
  });

  it('is told what failed, where, how often, and where the item lies', async () => {
    const source = new CountingSource(8, { size: () => 4, lane: 'p1' });
    const letters = new LetterSink();
    const cause = Object.assign(new RangeError('no such month'), { retryable: false, code: '22008' });
    const sink = new ScriptedSink<number>({
      name: 'table',
      write: ({ items }) => {
        if (items.length > 1 && items.some(isPoison)) throw bad(items.findIndex(isPoison));
        if (items.some((item) => item > 4)) throw cause;
      },
    });
    await time().run(
      new ConcurrentPipeline(source, sink)
        .bufferSize(8)
        .retry({ attempts: 2, halve: true })
        .deadLetter(letters)
        .run(),
    );
    expect(letters.items.slice(0, 2)).toEqual([
      {
        item: 3,
        error: { name: 'WriteError', message: 'bad data', code: 'SW_SINK_FAILED' },
        stage: 'table',
        attempts: 1,
        lane: 'p1',
        after: undefined,
        upTo: 4,
      },
      {
        item: 5,
        error: { name: 'RangeError', message: 'no such month', code: '22008' },
        stage: 'table',
        attempts: 3,
        lane: 'p1',
        after: 4,
        upTo: 8,
      },
    ]);
    expect(letters.items[1]?.error.cause).toBe(cause);
    const line = JSON.parse(JSON.stringify(letters.items[1])) as unknown;
    expect(line).toEqual({
      item: 5,
      error: { name: 'RangeError', message: 'no such month', code: '22008' },
      stage: 'table',
      attempts: 3,
      lane: 'p1',
      after: 4,
      upTo: 8,
    });
  });

  it('describes whatever was thrown', async () => {
    for (const [thrown, described] of [
      [
        { retryable: false, message: 7 },
        { name: 'Error', message: '' },
      ],
      [
        { retryable: false, name: 'Bad', code: 404 },
        { name: 'Bad', message: '', code: '404' },
      ],
    ]) {
      const letters = new LetterSink();
      const sink = new ScriptedSink<number>({
        write: () => {
          throw thrown;
        },
      });
      await time().run(pipeline(sink, letters, 1).run());
      expect(letters.items[0]?.error).toEqual(described);
    }
  });

  it('tells each item of a write of several source batches its own place', async () => {
    const letters = new LetterSink();
    const source = new CountingSource(8, { size: () => 2 });
    let gate = true;
    const sink = new ScriptedSink<number>({
      write: ({ items }) => {
        if (gate) {
          gate = false;
          return time().sleep(10);
        }
        throw bad(...items.map((_, at) => at));
      },
    });
    await time().run(pipeline(sink, letters, 8, source).run());
    expect(letters.items.map(({ item, after, upTo }) => [item, after, upTo])).toEqual([
      [2, 2, 4],
      [3, 2, 4],
      [4, 4, 6],
      [5, 4, 6],
      [6, 6, 8],
      [7, 6, 8],
    ]);
  });

  it('knows no place where the source has none', async () => {
    const letters = new LetterSink();
    const pipe = new ConcurrentPipeline([3], picky(true, false)).deadLetter(letters);
    await time().run(pipe.run());
    expect(letters.items[0]).toMatchObject({ item: 3, lane: undefined, after: undefined, upTo: undefined });
  });

  it('has the item durably before the position passes it', async () => {
    const source = new CountingSource(12, { size: () => 8, wait: () => time().sleep(100) });
    const settle: (() => void)[] = [];
    const letters = new LetterSink({
      write: () => ({ durable: new Promise<void>((resolve) => settle.push(resolve)) }),
    });
    const pipe = pipeline(picky(false, true), withoutFlush(letters), 0, source).commitEvery({ items: 1 });
    const run = pipe.run();
    await time().advance(200);
    expect([letters.bad, source.committed, pipe.report.written]).toEqual([[3], 0, 11]);
    for (const call of settle) call();
    await time().advance(1);
    expect(source.committed).toBe(12);
    await time().run(run);
  });

  it('is flushed, so that what is only durable then settles', async () => {
    const source = new CountingSource(8);
    const settle: (() => void)[] = [];
    const letters: LetterSink = new LetterSink({
      write: () => ({ durable: new Promise<void>((resolve) => settle.push(resolve)) }),
      flush: () => {
        for (const call of settle) call();
      },
    });
    const report = await time().run(pipeline(picky(false, true), letters, 8, source).run());
    expect([report.deadLettered, source.committed]).toEqual([1, 8]);
  });

  it('is flushed now and then, so that one bad item does not hold the position of an endless run', async () => {
    const source = new CountingSource(400, { size: () => 4, wait: () => time().sleep(100) });
    let settle: (() => void)[] = [];
    const letters: LetterSink = new LetterSink({
      write: () => ({ durable: new Promise<void>((resolve) => settle.push(resolve)) }),
      flush: () => {
        for (const call of settle) call();
        settle = [];
      },
    });
    const run = pipeline(picky(false, true), letters, 0, source).commitEvery({ items: 1 }).run();
    await time().advance(9000);
    expect(source.committed).toBeGreaterThan(300);
    await time().run(run);
  });

  it('opens before the sink, is flushed and closed after it', async () => {
    const calls: string[] = [];
    const noting = (name: string): Sink<never> => ({
      name,
      open: () => void calls.push(`open ${name}`),
      write: () => {},
      flush: () => void calls.push(`flush ${name}`),
      close: () => void calls.push(`close ${name}`),
    });
    const letters = noting('letters') as Sink<DeadLetter>;
    await time().run(pipeline(noting('sink') as Sink<number>, letters).run());
    expect(calls).toEqual([
      'open letters',
      'open sink',
      'flush sink',
      'flush letters',
      'close sink',
      'close letters',
    ]);
  });

  it('is closed with the reason when the run fails', async () => {
    const letters = new LetterSink();
    const sink = new ScriptedSink<number>({
      write: () => {
        throw outage();
      },
    });
    await time().run(rejection(pipeline(sink, letters).run()));
    expect(letters.calls).toEqual(['open', 'close: reason']);
  });

  it.each<[string, () => void | Accepted | Promise<void>]>([
    [
      'throws',
      () => {
        throw new Error('full');
      },
    ],
    ['rejects', () => Promise.reject(new Error('full'))],
    ['does not make durable what it accepted', () => ({ durable: Promise.reject(new Error('full')) })],
  ])('stops the run when it %s', async (_, write) => {
    for (const failFast of [true, false]) {
      const source = new CountingSource(20);
      const letters = new LetterSink({ write });
      const pipe = pipeline(picky(false, true), letters, 20, source).failFast(failFast);
      const error = await time().run(rejection(pipe.run()));
      expect(error).toMatchObject({
        code: 'SW_DEAD_LETTER_FAILED',
        stage: 'scripted',
        cause: { message: 'full' },
      });
      expect(source.committed).toBe(0);
    }
  });

  it.each(['open', 'flush', 'close'])('fails the run when its %s fails', async (method) => {
    const letters = Object.assign(new LetterSink(), {
      [method]: () => {
        throw new Error('full');
      },
    });
    const error = await time().run(rejection(pipeline(picky(false, true), letters).run()));
    expect(error).toMatchObject({ code: 'SW_DEAD_LETTER_FAILED', cause: { message: 'full' } });
  });

  it('holds the batch until it has taken the items, and an abort does not wait for it for ever', async () => {
    const letters = new LetterSink({ write: () => new Promise<void>(() => {}) });
    const sink = picky(false, true);
    const pipe = pipeline(sink, letters).closeMs(300);
    const run = rejection(pipe.run());
    await time().settle();
    expect(sink.writes.length).toBe(1);
    const before = time().elapsed;
    await time().run(pipe.abort());
    expect(time().elapsed - before).toBeLessThanOrEqual(1000);
    const error = (await time().run(run)) as StreamWeldError;
    expect(JSON.stringify(error.suppressed.map(String))).toContain("writing to 'scripted'");
  });

  it('may defer, and settles the items itself', async () => {
    const source = new CountingSource(8);
    let settle: () => void = () => {};
    const letters = new LetterSink({
      write: ({ context }) => {
        const receipt = context.defer();
        receipt.retain(1);
        receipt.settle();
        settle = () => receipt.settle();
      },
      flush: () => settle(),
    });
    const report = await time().run(pipeline(picky(false, true), letters, 8, source).run());
    expect([report.deadLettered, source.committed]).toEqual([1, 8]);
  });

  it('takes no more at once than it says', async () => {
    const sink = new ScriptedSink<number>({
      write: ({ items }) => {
        throw bad(...items.map((_, at) => at));
      },
    });
    const letters = new LetterSink({ maxItems: 3 });
    await time().run(pipeline(sink, letters).run());
    expect(letters.writes.map(({ items }) => items.length)).toEqual([3, 3, 2]);
  });

  it('[exactly once] has the bad items durably before the rest is written, whole and with the same positions', async () => {
    const order: string[] = [];
    const settle: (() => void)[] = [];
    const letters: LetterSink = new LetterSink({
      write: () => {
        order.push('letters');
        return { durable: new Promise<void>((resolve) => settle.push(resolve)) };
      },
      flush: () => {
        order.push('durable');
        for (const call of settle) call();
      },
    });
    const sink: ScriptedSink<number> = new ScriptedSink<number>({
      atomic: true,
      write: ({ items, context }) => {
        order.push(`${items.join(' ')} up to ${String(context.positions?.get(''))}`);
        const failed = items.flatMap((item, at) => (isPoison(item) ? [at] : []));
        if (failed.length > 0) throw bad(...failed);
        if (sink.writes.length === 2) throw outage(0);
      },
    });
    const exact = Object.assign(sink, { keepsPositions: true, positions: () => new Map<string, unknown>() });
    const store = { load: () => undefined, save: () => {} };
    const report = await time().run(
      pipeline(exact, letters).retry({ attempts: 2 }).checkpoint(store, 'test').run(),
    );
    expect(order.slice(0, 5)).toEqual([
      '0 1 2 3 4 5 6 7 up to 8',
      'letters',
      'durable',
      '0 1 2 4 5 6 7 up to 8',
      '0 1 2 4 5 6 7 up to 8',
    ]);
    expect(report).toMatchObject({ written: 7, deadLettered: 1, retried: 1 });
  });

  it('[exactly once] does not halve: that is the sink’s own', async () => {
    const sink = Object.assign(picky(true, false), {
      keepsPositions: true,
      positions: () => new Map<string, unknown>(),
    });
    const store = { load: () => undefined, save: () => {} };
    const letters = new LetterSink();
    await time().run(rejection(pipeline(sink, letters).checkpoint(store, 'test').run()));
    expect([sink.writes.length, letters.writes.length]).toEqual([1, 0]);
  });
});
