import { runtime } from '@streamweld/core/connector';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { useVirtualClock, VirtualClock, withVirtualClock } from '../src/virtual-clock.ts';

describe('VirtualClock', () => {
  const time = useVirtualClock({ beforeEach, afterEach });

  it('is the runtime in force, and stands still by itself', () => {
    const before = runtime.now();
    for (let i = 0; i < 1e5; i++);
    expect(runtime.now()).toBe(before);
  });

  it('fires timers in order of time, then of setting, and skips those that were cleared', async () => {
    const fired: string[] = [];
    runtime.setTimer(() => fired.push('c'), 20);
    runtime.setTimer(() => fired.push('a'), 10);
    runtime.setTimer(() => fired.push('b'), 10);
    runtime.clearTimer(runtime.setTimer(() => fired.push('never'), 5));
    await time().advance(19);
    expect(fired).toEqual(['a', 'b']);
    await time().advance(1);
    expect(fired).toEqual(['a', 'b', 'c']);
    expect(time().activeTimers).toBe(0);
  });

  it('runs a chain of an hour of waiting at once', async () => {
    const chain = async (): Promise<string> => {
      for (let i = 0; i < 60; i++) await time().sleep(60_000);
      return 'done';
    };
    expect(await time().run(chain())).toBe('done');
    expect(time().elapsed).toBe(3_600_000);
  });

  it('gives turns before timers', async () => {
    const order: string[] = [];
    runtime.setTimer(() => order.push('timer'), 0);
    runtime.yield(() => order.push('turn'));
    await time().run(time().sleep(1));
    expect(order).toEqual(['turn', 'timer']);
  });

  it('tells a deadlock instead of waiting for it', async () => {
    await expect(time().run(new Promise(() => {}))).rejects.toThrow('Deadlock');
  });

  it('answers as the promise does', async () => {
    const error = new Error('no');
    await expect(time().run(Promise.reject(error))).rejects.toBe(error);
  });

  it('draws the same numbers from the same seed', () => {
    const draw = (seed: number): number[] => {
      const clock = new VirtualClock({ seed });
      return Array.from({ length: 5 }, () => clock.random());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7).every((n) => n >= 0 && n < 1)).toBe(true);
  });

  it('gives the runtime back that was there before', async () => {
    const outer = time();
    await withVirtualClock({}, async (inner) => {
      await inner.advance(5);
      expect(outer.elapsed).toBe(0);
    });
    await outer.advance(1);
    expect(runtime.now()).toBe(outer.now());
  });
});
