import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { installRuntime, runtime, Turn } from '../../src/runtime.ts';
import { VirtualClock } from '@streamweld/testing';
import { useVirtualClock } from '../clock.ts';

const source = path.resolve(import.meta.dirname, '../../src');

describe('The sources of core', () => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ file, text: withoutComments(readFileSync(path.join(source, file), 'utf8')) }));

  it('[fault 94] never read the wall clock, and time and chance enter by runtime.ts alone', () => {
    expect(files.length).toBeGreaterThan(40);
    const wall = /\bDate\b/;
    const others =
      /\b(performance|setTimeout|setInterval|setImmediate|queueMicrotask|Math\.random|MessageChannel)\b/;
    // A position may hold a date: it is told by its kind, and made again from its number. No clock is read for that.
    expect(files.filter(({ text }) => wall.test(text)).map(({ file }) => file)).toEqual(['position-json.ts']);
    expect(files.filter(({ text }) => /\bDate\.now|\bDate\(\)/.test(text))).toEqual([]);
    expect(files.filter(({ text }) => others.test(text)).map(({ file }) => file)).toEqual(['runtime.ts']);
  });

  it('import nothing from Node, and listen to a signal in abort.ts alone', () => {
    expect(
      files.filter(({ text }) => /from 'node:|\bprocess\.|\bBuffer\b/.test(text)).map(({ file }) => file),
    ).toEqual([]);
    const listens = files.filter(({ text }) => /addEventListener\(/.test(text)).map(({ file }) => file);
    expect(listens).toEqual(['abort.ts']);
  });
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
}

describe('runtime, on the real clock', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('[fault 94] is monotonic while the wall clock jumps an hour forwards and back', () => {
    const before = runtime.now();
    const wall = Date.now();
    const jump = vi.spyOn(Date, 'now');
    jump.mockReturnValue(wall + 3_600_000);
    const ahead = runtime.now();
    jump.mockReturnValue(wall - 3_600_000);
    const back = runtime.now();
    expect(ahead - before).toBeLessThan(1000);
    expect(back).toBeGreaterThanOrEqual(ahead);
    expect(back - before).toBeLessThan(1000);
  });

  it('has timers that can be taken back, chance, and turns', async () => {
    const order: string[] = [];
    runtime.clearTimer(runtime.setTimer(() => order.push('never'), 0));
    await new Promise<void>((resolve) => {
      runtime.setTimer(() => {
        order.push('timer');
        resolve();
      }, 1);
    });
    expect(order).toEqual(['timer']);
    const draws = Array.from({ length: 100 }, () => runtime.random());
    expect(draws.every((n) => n >= 0 && n < 1)).toBe(true);
    expect(new Set(draws).size).toBeGreaterThan(90);
    await new Promise<void>((resolve) => runtime.yield(resolve));
  });

  it('gives up its turn in order where there is no setImmediate', async () => {
    const { setImmediate } = globalThis;
    vi.resetModules();
    Reflect.deleteProperty(globalThis, 'setImmediate');
    try {
      const other = (await import('../../src/runtime.ts')) as typeof import('../../src/runtime.ts');
      const order: number[] = [];
      let timerFired = false;
      setTimeout(() => (timerFired = true), 1);
      for (let i = 0; i < 3; i++) other.runtime.yield(() => order.push(i));
      expect(order).toEqual([]);
      for (let i = 0; !timerFired; i++) {
        if (i > 1e6) throw new Error('A timer starves.');
        await new Promise<void>((resolve) => other.runtime.yield(resolve));
      }
      expect(order).toEqual([0, 1, 2]);
    } finally {
      globalThis.setImmediate = setImmediate;
    }
  });
});

describe('installRuntime', () => {
  it('counts at once for who holds the runtime already, and is taken back in the order it was given', () => {
    const outer = new VirtualClock();
    const inner = new VirtualClock();
    const takeOuter = installRuntime(outer);
    const takeInner = installRuntime(inner);
    runtime.setTimer(() => {}, 5);
    expect([outer.activeTimers, inner.activeTimers]).toEqual([0, 1]);
    takeInner();
    runtime.setTimer(() => {}, 5);
    expect([outer.activeTimers, inner.activeTimers]).toEqual([1, 1]);
    takeOuter();
    expect(runtime.now()).not.toBe(outer.now());
  });
});

describe('Turn', () => {
  const time = useVirtualClock();

  it('is over after a few milliseconds of work', async () => {
    const turn = new Turn();
    expect(turn.isOver()).toBe(false);
    await time().advance(4);
    expect(turn.isOver()).toBe(false);
    await time().advance(1);
    expect(turn.isOver()).toBe(true);
  });

  it('is shared: while it is given up, it is over for all, and all go on together', async () => {
    const turn = new Turn();
    await time().advance(5);
    const order: string[] = [];
    turn.yield(() => order.push('a'));
    expect(turn.isOver()).toBe(true);
    turn.yield(() => order.push('b'));
    expect(order).toEqual([]);
    await time().settle();
    expect(order).toEqual(['a', 'b']);
    expect(time().turnsYielded).toBe(1);
    expect(turn.isOver()).toBe(false);
  });

  it('may be given up again by who was called back', async () => {
    const turn = new Turn();
    const order: string[] = [];
    turn.yield(() => {
      order.push('first');
      turn.yield(() => order.push('second'));
    });
    await time().settle();
    expect(order).toEqual(['first', 'second']);
  });
});
