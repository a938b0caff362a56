import { describe, expect, it } from 'vitest';
import { count } from '../../src/builtin/sinks.ts';
import { from } from '../../src/flow/flow.ts';
import type { StandardSchema } from '../../src/flow/validate.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { LetterSink, ScriptedSink, withoutFlush } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck(time);

const isBad = (item: number): boolean => item % 4 === 3;

function parse(item: number): string {
  if (isBad(item)) throw new TypeError(`${item} is bad`);
  return `i${item}`;
}

async function parseLater(item: number): Promise<string> {
  await time().sleep((item * 7) % 5);
  return parse(item);
}

/** Answers at once up to item 5, and with promises from there on. */
function parseAnyhow(item: number): string | Promise<string> {
  return item < 5 ? parse(item) : parseLater(item);
}

function schema(isAsync: boolean): StandardSchema<number, string> {
  const validate = (value: unknown) =>
    isBad(value as number)
      ? { issues: [{ message: 'secret', path: ['a', { key: 'b' }] }] }
      : { value: `i${String(value)}` };
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) =>
        isAsync
          ? time()
              .sleep(1)
              .then(() => validate(value))
          : validate(value),
    },
  };
}

const flows = {
  'map, synchronous': (source: CountingSource, how: 'drop' | 'deadLetter') =>
    from<number>(source).map(parse, { onError: how }),
  'map, asynchronous': (source: CountingSource, how: 'drop' | 'deadLetter') =>
    from<number>(source).map(parseLater, { onError: how, concurrency: 3 }),
  'map, asynchronous, out of order': (source: CountingSource, how: 'drop' | 'deadLetter') =>
    from<number>(source).map(parseLater, { onError: how, concurrency: 3, ordered: false }),
  'map, first one and then the other': (source: CountingSource, how: 'drop' | 'deadLetter') =>
    from<number>(source).map(parseAnyhow, { onError: how, concurrency: 2 }),
  'map after flatMap, over joined batches': (source: CountingSource, how: 'drop' | 'deadLetter') =>
    from<number>(source)
      .batch(3)
      .flatMap((items) => items)
      .map(parse, { onError: how }),
  'validate, synchronous': (source: CountingSource, how: 'drop' | 'deadLetter') =>
    from<number>(source).validate(schema(false), { onInvalid: how }),
  'validate, asynchronous': (source: CountingSource, how: 'drop' | 'deadLetter') =>
    from<number>(source).validate(schema(true), { onInvalid: how, concurrency: 2 }),
};

describe.each(Object.entries(flows))('%s', (name, build) => {
  it('sends what it cannot use to the dead letter, and the rest on', async () => {
    const source = new CountingSource(40, { size: () => 5 });
    const sink = new ScriptedSink<string>();
    const letters = new LetterSink();
    const pipe = new ConcurrentPipeline(build(source, 'deadLetter'), sink).bufferSize(16).deadLetter(letters);
    const report = await time().run(pipe.run());
    expect(report).toMatchObject({ read: 40, written: 30, deadLettered: 10, dropped: 0 });
    expect(letters.bad.toSorted((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 10 }, (_, at) => at * 4 + 3),
    );
    expect([sink.items.length, source.committed]).toEqual([30, 40]);
    const stage = name.startsWith('map') ? 'map' : 'validate';
    for (const letter of letters.items) {
      expect(letter).toMatchObject({ stage, attempts: 1, lane: '' });
      expect(letter.item as number).toBeGreaterThanOrEqual((letter.after as number | undefined) ?? 0);
      expect(letter.item as number).toBeLessThan(letter.upTo as number);
    }
  });

  it('drops it, where it is told to', async () => {
    const source = new CountingSource(40, { size: () => 5 });
    const sink = new ScriptedSink<string>();
    const report = await time().run(new ConcurrentPipeline(build(source, 'drop'), sink).bufferSize(16).run());
    expect(report).toMatchObject({ read: 40, written: 30, deadLettered: 0, dropped: 10 });
    expect(source.committed).toBe(40);
  });

  it('settles it only when the dead letter has it durably', async () => {
    const source = new CountingSource(20, { size: () => 5, wait: () => time().sleep(50) });
    const settle: (() => void)[] = [];
    const letters = new LetterSink({
      write: () => ({ durable: new Promise<void>((resolve) => settle.push(resolve)) }),
    });
    const run = new ConcurrentPipeline(build(source, 'deadLetter'), new ScriptedSink<string>())
      .bufferSize(10)
      .commitEvery({ items: 1 })
      .deadLetter(withoutFlush(letters))
      .run();
    await time().advance(180);
    expect(letters.bad).toContain(3);
    // Item 3 is bad, and those before it may be a batch of their own.
    expect(source.committed).toBeLessThanOrEqual(3);
    for (const call of settle.splice(0)) call();
    await time().advance(10);
    expect(source.committed).toBeGreaterThan(3);
    const settled = (async () => {
      while (source.committed < 20 && source.closedWith.length === 0) {
        for (const call of settle.splice(0)) call();
        await time().sleep(5);
      }
    })();
    await time().run(Promise.all([rejectionOrReport(run), settled]));
  });

  it('stops the run when the dead letter fails', async () => {
    const source = new CountingSource(40, { size: () => 5 });
    const letters = new LetterSink({
      write: () => {
        throw new Error('full');
      },
    });
    const pipe = new ConcurrentPipeline(build(source, 'deadLetter'), new ScriptedSink<string>());
    const error = await time().run(rejection(pipe.bufferSize(16).deadLetter(letters).run()));
    expect(error).toMatchObject({ code: 'SW_DEAD_LETTER_FAILED', cause: { message: 'full' } });
    expect(source.committed).toBeLessThanOrEqual(3);
    // Calls that were running still end.
    await time().advance(100);
  });

  it('refuses to run without one', async () => {
    const source = new CountingSource(4);
    const pipe = new ConcurrentPipeline(build(source, 'deadLetter'), count());
    expect(await rejection(pipe.run())).toMatchObject({ code: 'SW_DEAD_LETTER_MISSING' });
    const iterate = async (): Promise<void> => {
      for await (const _ of build(source, 'deadLetter')) void _;
    };
    expect(await rejection(iterate())).toMatchObject({ code: 'SW_DEAD_LETTER_MISSING' });
    expect(source.demands).toEqual([]);
  });
});

function rejectionOrReport(run: Promise<unknown>): Promise<unknown> {
  return run.catch((error: unknown) => error);
}

describe('the dead letter of operators', () => {
  it('is told what was thrown', async () => {
    const letters = new LetterSink();
    const flow = from([1, 3]).map(parse, { onError: 'deadLetter' });
    await time().run(new ConcurrentPipeline(flow, count()).deadLetter(letters).run());
    expect(letters.items).toEqual([
      {
        item: 3,
        error: { name: 'TypeError', message: '3 is bad' },
        stage: 'map',
        attempts: 1,
        lane: undefined,
        after: undefined,
        upTo: undefined,
      },
    ]);
    expect(letters.items[0]?.error.cause).toBeInstanceOf(TypeError);
  });

  it('is told the paths of an issue, and none of its values', async () => {
    const letters = new LetterSink();
    const flow = from([3]).validate(schema(false), { onInvalid: 'deadLetter' });
    await time().run(new ConcurrentPipeline(flow, count()).deadLetter(letters).run());
    expect(letters.items[0]?.error).toMatchObject({ code: 'SW_ITEM_INVALID' });
    expect(letters.items[0]?.error.message).toContain('a.b');
    expect(letters.items[0]?.error.message).not.toContain('secret');
  });

  it('makes the source wait when it is slow', async () => {
    const source = new CountingSource(20_000);
    let waiting = 0;
    let most = 0;
    const letters: LetterSink = new LetterSink({
      maxItems: 10,
      write: () => {
        waiting = source.handedOut - letters.items.length;
        most = Math.max(most, waiting);
        return time().sleep(1);
      },
    });
    const flow = from<number>(source).map(
      (): number => {
        throw new Error('all are bad');
      },
      { onError: 'deadLetter' },
    );
    const pipe = new ConcurrentPipeline(flow, count()).bufferSize(100).deadLetter(letters);
    const report = await time().run(pipe.run());
    expect(report).toMatchObject({ read: 20_000, deadLettered: 20_000, written: 0 });
    expect(most).toBeLessThanOrEqual(1100);
  });

  it('does not hold an abort while the source waits for it', async () => {
    const letters = new LetterSink({ maxItems: 1, write: () => time().sleep(10) });
    const flow = from(new CountingSource(20_000)).map(
      (): number => {
        throw new Error('all are bad');
      },
      { onError: 'deadLetter' },
    );
    const pipe = new ConcurrentPipeline(flow, count()).deadLetter(letters);
    const run = rejection(pipe.run());
    await time().advance(100);
    await time().run(pipe.abort());
    await time().run(run);
    expect(letters.calls.at(-1)).toBe('close: reason');
  });

  it('[exactly once] has an item durably before the positions that pass it are written', async () => {
    const order: string[] = [];
    let settle: (() => void)[] = [];
    const letters: LetterSink = new LetterSink({
      write: ({ items }) => {
        order.push(`letter ${items.map(({ item }) => item).join(' ')}`);
        return { durable: new Promise<void>((resolve) => settle.push(resolve)) };
      },
      flush: () => {
        order.push('durable');
        for (const call of settle) call();
        settle = [];
      },
    });
    const sink = Object.assign(
      new ScriptedSink<string>({
        write: ({ items, context }) => {
          order.push(`${items.join(' ')} up to ${String(context.positions?.get(''))}`);
        },
      }),
      { keepsPositions: true, positions: () => new Map<string, unknown>() },
    );
    const flow = from(new CountingSource(8, { size: () => 4 })).map(parse, { onError: 'deadLetter' });
    const store = { load: () => undefined, save: () => {} };
    const report = await time().run(
      new ConcurrentPipeline(flow, sink).bufferSize(16).deadLetter(letters).checkpoint(store, 'x').run(),
    );
    expect(report).toMatchObject({ written: 6, deadLettered: 2 });
    const first = order.findIndex((entry) => entry.includes('up to 4') || entry.includes('up to 8'));
    expect(order.slice(0, first)).toContain('durable');
    expect(order.indexOf('letter 3')).toBeLessThan(first);
    expect(order.at(-1)).toMatch(/up to 8|durable/);
  });

  it.each([
    [() => from([1]).map((item) => item, { onError: 'skip' as never }), 'map.onError'],
    [() => from([1]).validate(schema(false), { onInvalid: 'skip' as never }), 'validate.onInvalid'],
    [() => from([1]).map((item) => item, { onFail: 'drop' } as never), 'map.onFail'],
  ])('is chosen with known options (%#)', (build, option) => {
    expect(build).toThrow(new RegExp(`^${option} `));
  });
});
