import { describe, expect, it } from 'vitest';
import { collect } from '../../src/builtin/sinks.ts';
import { generate } from '../../src/builtin/sources.ts';
import { type Flow, from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { iterate, ListSource, upTo } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** Calls that take as long as they are told, and are counted. */
class Calls {
  started: number[] = [];
  running = 0;
  most = 0;
  readonly #msOf: (n: number) => number;

  constructor(msOf: (n: number) => number = () => 10) {
    this.#msOf = msOf;
  }

  readonly call = async (n: number): Promise<number> => {
    this.started.push(n);
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    await time().sleep(this.#msOf(n));
    this.running -= 1;
    return n;
  };
}

function run<T>(flow: Flow<T>, maxConcurrency = 1): Promise<T[]> {
  const sink = collect<T>();
  const pipeline = new ConcurrentPipeline(flow, sink).bufferSize(40).maxConcurrency(maxConcurrency);
  return time()
    .run(pipeline.run())
    .then(() => sink.items);
}

describe('Flow.map', () => {
  it.each([1, 2, 3, 7])('has exactly %d calls in flight, as it is told', async (concurrency) => {
    const calls = new Calls((n) => 5 + (n % 4));
    expect(await run(from(upTo(60)).map(calls.call, { concurrency }))).toEqual(upTo(60));
    expect(calls.most).toBe(concurrency);
    expect(calls.started).toEqual(upTo(60));
  });

  it.each([1, 4])('takes the maxConcurrency of the run, %d, where it names none', async (maxConcurrency) => {
    const calls = new Calls();
    await run(from(upTo(40)).map(calls.call), maxConcurrency);
    expect(calls.most).toBe(maxConcurrency);
  });

  it('has one call at a time in a loop', async () => {
    const calls = new Calls();
    expect(await time().run(iterate(from(upTo(20)).map(calls.call)))).toEqual(upTo(20));
    expect(calls.most).toBe(1);
  });

  it('keeps order behind a slow first item, in a window that is bounded [fault 13]', async () => {
    const calls = new Calls((n) => (n === 0 ? 10_000 : 1));
    const sink = collect<number>();
    const source = new CountingSource(1000);
    const pipeline = new ConcurrentPipeline(
      from(source).map(calls.call, { concurrency: 4 }),
      sink,
    ).bufferSize(40);
    const result = pipeline.run();
    await time().advance(9_999);
    expect(sink.items).toEqual([]);
    // The window is as long as there is room downstream: half the buffer at once.
    expect(calls.started.length).toBeLessThanOrEqual(20);
    expect(source.handedOut).toBeLessThanOrEqual(24);
    await time().run(result);
    expect(sink.items).toEqual(upTo(1000));
  });

  it('hands results on as they come where order is not asked for', async () => {
    const calls = new Calls((n) => (n === 0 ? 1000 : 10));
    const items = await run(from(upTo(30)).map(calls.call, { concurrency: 3, ordered: false }));
    expect(items.at(-1)).toBe(0);
    expect([...items].sort((a, b) => a - b)).toEqual(upTo(30));
    expect(calls.most).toBe(3);
  });

  it('keeps positions before a slow item that others overtook', async () => {
    const source = new ListSource(upTo(30), { size: () => 1 });
    const calls = new Calls((n) => (n === 3 ? 1000 : 10));
    const pipeline = new ConcurrentPipeline(
      from(source).map(calls.call, { concurrency: 3, ordered: false }),
      collect<number>(),
    ).commitEvery({ items: 1 });
    const result = pipeline.run();
    await time().advance(900);
    expect(source.commits.at(-1)).toBe(3);
    await time().run(result);
    expect(source.commits.at(-1)).toBe(30);
  });

  it('takes answers that come at once and answers that come later, in one order', async () => {
    const flow = from(upTo(50)).map(
      (n) =>
        n % 3 === 0
          ? time()
              .sleep(n % 5)
              .then(() => n)
          : n,
      { concurrency: 4 },
    );
    expect(await run(flow)).toEqual(upTo(50));
  });

  it('fails in the middle, after what came before has gone on', async () => {
    const cause = new Error('no 10');
    const sink = collect<number>();
    const flow = from(upTo(30)).map(
      async (n) => {
        await time().sleep(n === 10 ? 1 : 10);
        if (n === 10) throw cause;
        return n;
      },
      { concurrency: 4 },
    );
    const error = await rejection(time().run(new ConcurrentPipeline(flow, sink).failFast(false).run()));
    expect(error).toMatchObject({ code: 'SW_OPERATOR_FAILED', stage: 'map', cause });
    expect(sink.items).toEqual(upTo(10));
    // The calls that had begun come to their end.
    await time().advance(100);
  });

  it('makes no more calls after an abort', async () => {
    const calls = new Calls();
    const source = new CountingSource(1000);
    const pipeline = new ConcurrentPipeline(
      from(source).map(calls.call, { concurrency: 2 }),
      collect<number>(),
    );
    const result = pipeline.run();
    await time().advance(25);
    const before = calls.started.length;
    const error = new Error('enough');
    void pipeline.abort(error);
    expect(await rejection(time().run(result))).toBe(error);
    await time().advance(1000);
    // Those of the turn in which it was aborted may still have begun.
    expect(calls.started.length).toBeLessThanOrEqual(before + 2);
    expect(source.pullsAfterClose).toBe(0);
  });

  it('fails well where the source fails while calls are in flight', async () => {
    const calls = new Calls();
    const sink = collect<number>();
    const source = generate(async (n) => {
      if (n === 5) throw new Error('no 5');
      return n;
    });
    const flow = from(source).map(calls.call, { concurrency: 3 });
    const error = await rejection(time().run(new ConcurrentPipeline(flow, sink).failFast(false).run()));
    expect(error).toMatchObject({ code: 'SW_SOURCE_FAILED', stage: 'generate' });
    expect(sink.items).toEqual(upTo(5));
  });
});

describe('Flow.filter', () => {
  it('waits for its predicate, and keeps what it says', async () => {
    const source = new ListSource(upTo(40), { size: () => 3 });
    const flow = from(source).filter(async (n) => (await time().sleep(n % 3), n % 2 === 0), {
      concurrency: 3,
    });
    expect(await run(flow)).toEqual(upTo(40).filter((n) => n % 2 === 0));
    expect(source.commits.at(-1)).toBe(40);
  });
});

describe('Flow.tap', () => {
  it('waits for its function, and passes the items on as they were', async () => {
    const seen: number[] = [];
    const flow = from(upTo(10)).tap(async (n) => {
      await time().sleep(5);
      seen.push(n);
      return 'ignored';
    });
    expect(await run(flow)).toEqual(upTo(10));
    expect(seen).toEqual(upTo(10));
  });
});

describe('A function that throws [fault 8]', () => {
  const thrown: [string, unknown][] = [
    ['an error', new Error('on purpose')],
    ['undefined', undefined],
    ['null', null],
    ['a string', 'on purpose'],
    ['a frozen error', Object.freeze(new Error('frozen'))],
    ['a frozen object', Object.freeze({ why: 'frozen' })],
    ['an object without prototype', Object.create(null)],
  ];
  const operators: [string, (fail: () => never) => Flow<unknown>][] = [
    ['map', (fail) => from([1]).map(fail)],
    ['filter', (fail) => from([1]).filter(fail)],
    ['flatMap', (fail) => from([1]).flatMap(fail)],
    ['tap', (fail) => from([1]).tap(fail)],
    ['through', (fail) => from([1]).through({ process: fail })],
    [
      'validate',
      (fail) => from([1]).validate({ '~standard': { version: 1, vendor: 'test', validate: fail } }),
    ],
  ];
  for (const [operator, build] of operators) {
    it.each(thrown)(`ends ${operator} with %s as the cause, at once or later`, async (_, cause) => {
      const now = (): never => {
        throw cause;
      };
      const later = (): never => Promise.reject(cause) as never;
      for (const fail of [now, later]) {
        const error = await rejection(run(build(fail)));
        expect(error).toMatchObject({ code: 'SW_OPERATOR_FAILED', stage: operator });
        expect('cause' in (error as Error)).toBe(true);
        expect((error as Error).cause).toBe(cause);
        expect(await rejection(time().run(iterate(build(fail))))).toMatchObject({ stage: operator });
      }
    });
  }
});

describe('Operators', () => {
  it.each([0, -1, 1.5, Number.NaN, '4'])('take no concurrency of %s', (concurrency) => {
    const options = { concurrency: concurrency as number };
    expect(() => from([1]).map((n) => n, options)).toThrow(RangeError);
    expect(() => from([1]).filter(() => true, options)).toThrow(RangeError);
    expect(() => from([1]).tap(() => {}, options)).toThrow(RangeError);
  });

  it('take no option they do not know, and nothing but functions', () => {
    expect(() => from([1]).map((n) => n, { concurency: 4 } as never)).toThrow(/concurency/);
    expect(() => from([1]).map(7 as never)).toThrow(RangeError);
    expect(() => from([1]).filter(undefined as never)).toThrow(RangeError);
    expect(() => from([1]).flatMap({} as never)).toThrow(RangeError);
    expect(() => from([1]).tap('x' as never)).toThrow(RangeError);
    expect(() => from([1]).take(-1)).toThrow(RangeError);
    expect(() => from([1]).drop(0.5)).toThrow(RangeError);
  });
});
