/** A deadline around what may never answer: whichever comes first counts, and nothing of it is left. */

import { LeakCheck, listenersOf } from '@streamweld/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DeadlinePassed, within } from '../src/deadline.ts';

const leaks = new LeakCheck();
beforeEach(() => leaks.begin());
afterEach(() => leaks.end());

const never = new Promise<never>(() => {});

it('answers as the promise does', async () => {
  const { signal } = new AbortController();
  await expect(within(60_000, Promise.resolve(5), signal)).resolves.toBe(5);
  const thrown = new Error('so it failed');
  await expect(within(60_000, Promise.reject(thrown), signal)).rejects.toBe(thrown);
  expect(listenersOf(signal)).toBe(0);
});

it('rejects when the time is over', async () => {
  const { signal } = new AbortController();
  await expect(within(5, never, signal)).rejects.toBeInstanceOf(DeadlinePassed);
  expect(listenersOf(signal)).toBe(0);
});

it('rejects when the signal aborts, or has aborted before', async () => {
  const controller = new AbortController();
  const reason = new Error('given up');
  const waiting = within(60_000, never, controller.signal);
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(within(60_000, never, controller.signal)).rejects.toBe(reason);
  // It may fail later, when nobody listens.
  await expect(within(60_000, Promise.reject(new Error('later')), controller.signal)).rejects.toBe(reason);
});
