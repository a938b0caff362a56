import { describe, expect, it } from 'vitest';
import { generate, range, repeat } from '../../src/builtin/sources.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { collect } from '../../src/builtin/sinks.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

async function itemsOf<T>(flow: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of flow) items.push(item);
  return items;
}

describe('range', () => {
  it('hands out whole numbers up to its end, each batch with the next number as its position', () => {
    const source = range(3, 8);
    expect(source.pull(2)).toEqual({ items: [3, 4], position: 5 });
    expect(source.pull(100)).toEqual({ items: [5, 6, 7], position: 8 });
    expect(source.pull(1)).toBeUndefined();
  });

  it('resumes at a position', async () => {
    const source = range(0, 10);
    const signal = new AbortController().signal;
    const context = { signal, settled: () => Promise.resolve(), endLane: () => {}, fail: () => {} };
    await source.open?.({ ...context, positions: new Map([['', 7]]) });
    expect(source.pull(10)).toEqual({ items: [7, 8, 9], position: 10 });
    await source.open?.({ ...context, positions: new Map() });
    expect(source.pull(2)).toEqual({ items: [0, 1], position: 2 });
    expect(source.comparePositions?.(1, 2)).toBeLessThan(0);
  });

  it.each([
    ['', null],
    ['', 'absurd'],
    ['', 1.5],
    ['', -1],
    ['', 11],
    ['other', 5],
  ])('S13 refuses to resume lane %j at %j', async (lane, position) => {
    const positions = new Map([[lane, position as number]]);
    const signal = new AbortController().signal;
    const context = {
      positions,
      signal,
      settled: () => Promise.resolve(),
      endLane: () => {},
      fail: () => {},
    };
    const error = await rejection(Promise.resolve().then(() => range(0, 10).open?.(context)));
    expect(error).toMatchObject({ code: 'SW_POSITION_INVALID', stage: 'range' });
  });

  it('may be empty, endless or negative', () => {
    expect(range(5, 5).pull(10)).toBeUndefined();
    expect(range(5, 3).pull(10)).toBeUndefined();
    expect(range(-2, Number.POSITIVE_INFINITY).pull(3)).toEqual({ items: [-2, -1, 0], position: 1 });
  });

  it.each([
    [1.5, 5, 'range start'],
    [Number.NaN, 5, 'range start'],
    ['1', 5, 'range start'],
    [0, 2.5, 'range end'],
    [0, Number.NaN, 'range end'],
    [0, Number.NEGATIVE_INFINITY, 'range end'],
    [0, undefined, 'range end'],
  ])('refuses %s to %s', (start, end, option) => {
    expect(() => range(start as number, end as number)).toThrow(
      expect.objectContaining({ code: 'SW_OPTION_INVALID', option }),
    );
  });
});

describe('repeat', () => {
  it('hands out the same item so many times', async () => {
    expect(await itemsOf(from(repeat('x', 3)))).toEqual(['x', 'x', 'x']);
    expect(repeat('x', 0).pull(5)).toBeUndefined();
    expect(repeat('x', 5).pull(2)).toEqual(['x', 'x']);
  });

  it('has no end unless told', async () => {
    expect(await itemsOf(from(repeat(7)).take(50))).toEqual(new Array(50).fill(7));
  });

  it.each([-1, 1.5, Number.NaN, '3'])('refuses %s times', (times) => {
    expect(() => repeat('x', times as number)).toThrow(expect.objectContaining({ option: 'repeat times' }));
  });
});

describe('generate', () => {
  it('makes items of 0, 1, 2 until undefined', async () => {
    expect(await itemsOf(from(generate((n) => (n < 4 ? n * n : undefined))))).toEqual([0, 1, 4, 9]);
  });

  it('makes so many as count says, and no more', async () => {
    const made: number[] = [];
    const source = generate((n) => made.push(n), { count: 3 });
    expect(await itemsOf(from(source))).toEqual([1, 2, 3]);
    expect(made).toEqual([0, 1, 2]);
    expect(generate(() => 1, { count: 0 }).pull(5)).toBeUndefined();
  });

  it('waits for promises one after the other, and hands on what is there before it waits', async () => {
    const source = generate((n) =>
      n === 2
        ? time()
            .sleep(5)
            .then(() => 'late')
        : n < 4
          ? `${n}`
          : undefined,
    );
    expect(await source.pull(10)).toEqual(['0', '1']);
    const late = source.pull(10);
    await time().advance(5);
    expect(await late).toEqual(['late']);
    expect(await source.pull(10)).toEqual(['3']);
    expect(await source.pull(10)).toBeUndefined();
  });

  it('ends with a promise of undefined', async () => {
    const source = generate(async (n) => (n < 2 ? n : undefined));
    expect(await source.pull(5)).toEqual([0]);
    expect(await source.pull(5)).toEqual([1]);
    expect(await source.pull(5)).toBeUndefined();
    expect(await source.pull(5)).toBeUndefined();
  });

  it('[fault 96] leaves no rejection unhandled when a promise fails before anyone asks for it', async () => {
    const cause = new Error('late');
    const source = generate((n) => (n < 2 ? n : Promise.reject(cause)));
    expect(await source.pull(10)).toEqual([0, 1]);
    // Nobody asks for a while; the check for leaks comes after the test.
    await time().advance(1000);
    await expect(source.pull(10)).rejects.toBe(cause);
  });

  it('fails the run with what the function throws', async () => {
    const cause = new Error('thrown');
    const sink = collect<number>();
    const source = generate((n) => {
      if (n === 3) throw cause;
      return n;
    });
    expect(await time().run(rejection(new ConcurrentPipeline(source, sink).run()))).toMatchObject({ cause });
  });

  it('refuses what is no function, a count that is none, and an unknown option', () => {
    expect(() => generate(5 as never)).toThrow('generate must be a function, got 5.');
    expect(() => generate(() => 1, { count: -1 })).toThrow(
      expect.objectContaining({ option: 'generate.count' }),
    );
    expect(() => generate(() => 1, { cuont: 1 } as never)).toThrow(
      expect.objectContaining({ option: 'generate.cuont' }),
    );
  });
});
