/**
 * What must be zero when a test has ended: unhandled rejections, warnings of too many listeners, listeners left on a
 * signal, timers left on the virtual clock.
 */

import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect } from 'vitest';
import type { VirtualClock } from '@streamweld/testing';

export interface LeakCheck {
  /** Watches a signal: it must be without listeners at the end. Answers the controller to abort it by. */
  controller(): AbortController;
  /** What was not handled so far. A test that expects some takes them out. */
  readonly unhandled: unknown[];
}

/** How many listeners a signal carries. */
export function listenersOf(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

/**
 * Checks after each test of the file. Vitest makes a test run red for an unhandled rejection too, but names no test.
 *
 * @example
 * const leaks = useLeakCheck(time);
 */
export function useLeakCheck(clock?: () => VirtualClock): LeakCheck {
  const unhandled: unknown[] = [];
  const warnings: Error[] = [];
  let signals: AbortSignal[] = [];
  const onUnhandled = (reason: unknown): void => {
    unhandled.push(reason);
  };
  const onWarning = (warning: Error): void => {
    if (warning.name === 'MaxListenersExceededWarning') warnings.push(warning);
  };
  beforeEach(() => {
    unhandled.length = 0;
    warnings.length = 0;
    signals = [];
    process.on('unhandledRejection', onUnhandled);
    process.on('warning', onWarning);
  });
  // Registered after the clock's own hook, so it runs before it: the clock is still there.
  afterEach(async () => {
    // Rejections are told after the microtasks of a turn, warnings a tick later.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', onUnhandled);
    process.off('warning', onWarning);
    expect(unhandled, 'unhandled rejections').toEqual([]);
    expect(warnings, 'warnings of too many listeners').toEqual([]);
    expect(signals.map(listenersOf), 'listeners left on signals').toEqual(signals.map(() => 0));
    if (clock !== undefined) expect(clock().activeTimers, 'timers left').toBe(0);
  });
  return {
    unhandled,
    controller: () => {
      const controller = new AbortController();
      signals.push(controller.signal);
      return controller;
    },
  };
}
