import { useVirtualClock } from '@streamweld/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { S3Error } from '../src/errors.ts';
import { Patience, patiently } from '../src/patience.ts';

const busy = new S3Error('SW_S3_BUSY', 'Busy.', { isTransient: true, status: 503, bucket: 'b', key: 'k' });
const denied = new S3Error('SW_S3_DENIED', 'Denied.', { isTransient: false });

describe('patiently', () => {
  const time = useVirtualClock({ beforeEach, afterEach });
  const { signal } = new AbortController();

  /** An attempt that fails until so many milliseconds have passed. */
  function failing(
    forMs: number,
    error: unknown = busy,
  ): { attempt: () => Promise<string>; times: number[] } {
    const times: number[] = [];
    return {
      times,
      attempt: async () => {
        times.push(time().elapsed);
        if (time().elapsed < forMs) throw error;
        return 'done';
      },
    };
  }

  it('outlasts a store that is busy for 30 s, with pauses that grow up to 10 s', async () => {
    const { attempt, times } = failing(30_000);
    expect(await time().run(patiently(120_000, signal, attempt))).toBe('done');
    const pauses = times.slice(1).map((at, index) => at - (times[index] as number));
    pauses.forEach((pause, index) => {
      const most = Math.min(10_000, 100 * 2 ** index);
      expect(pause).toBeGreaterThanOrEqual(most / 2);
      expect(pause).toBeLessThanOrEqual(most);
    });
    expect(pauses.length).toBeGreaterThanOrEqual(8);
    expect(time().activeTimers).toBe(0);
  });

  it('gives up when its budget is spent, after a last attempt, and says how long it tried', async () => {
    const { attempt, times } = failing(Number.POSITIVE_INFINITY);
    const error: S3Error = await time().run(patiently(20_000, signal, attempt).catch((e) => e));
    expect(times.at(-1)).toBe(20_000);
    expect(error).toMatchObject({
      code: 'SW_S3_BUSY',
      message: `Busy. It was tried ${times.length} times, for 20 s.`,
      status: 503,
      details: { status: 503, bucket: 'b', key: 'k' },
      isTransient: true,
    });
  });

  it('spreads those that failed at the same moment', async () => {
    const all = Array.from({ length: 20 }, () => failing(5000));
    await time().run(Promise.all(all.map(({ attempt }) => patiently(120_000, signal, attempt))));
    expect(new Set(all.map(({ times }) => times.at(-1))).size).toBe(20);
  });

  it.each([
    ['what trying again does not help', denied],
    ['what is of nobody it knows', new Error('other')],
  ])('does not try again %s', async (_, error) => {
    const { attempt, times } = failing(1, error);
    await expect(time().run(patiently(120_000, signal, attempt))).rejects.toBe(error);
    expect(times).toEqual([0]);
  });

  it('tries nothing again without a budget', async () => {
    await expect(time().run(patiently(0, signal, failing(1).attempt))).rejects.toBe(busy);
  });

  it('ends at once when its signal aborts, with the reason and no timer left', async () => {
    const abort = new AbortController();
    const { attempt, times } = failing(Number.POSITIVE_INFINITY);
    const trying = patiently(120_000, abort.signal, attempt).catch((error) => error);
    await time().advance(1000);
    const reason = new Error('enough');
    abort.abort(reason);
    await time().settle();
    const attempts = times.length;
    expect(time().activeTimers).toBe(0);
    expect(await trying).toBe(reason);
    await time().advance(60_000);
    expect(times.length).toBe(attempts);
  });

  it('begins anew after a success', async () => {
    const patience = new Patience(10_000);
    for (let at = 0; at < 100; at += 1) {
      await time().run(patience.wait(busy, signal));
      await time().advance(1000);
      patience.succeeded();
    }
    // The first pause of each time is a short one.
    expect(time().elapsed).toBeLessThan(100 * 1100);
  });
});
