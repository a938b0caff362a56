/**
 * The leak check of @streamweld/testing, of what a browser can tell: rejections that nobody handled, listeners on the
 * signals of the check, timers on its clock. There are no handles, files or process in a page.
 */

import type { TestHooks, VirtualClock } from '@streamweld/testing';

interface Listener {
  readonly call: unknown;
  readonly isOnce: boolean;
}

const page = globalThis as unknown as EventTarget;

const listeners = new WeakMap<EventTarget, Listener[]>();

// A browser does not say who listens, so it is written down from here on; the tests load core later.
// oxlint-disable-next-line typescript/unbound-method -- they are called with the signal that they are of
const { addEventListener, removeEventListener } = AbortSignal.prototype;
AbortSignal.prototype.addEventListener = function add(
  this: AbortSignal,
  type: string,
  call: unknown,
  options?: unknown,
) {
  const of = listeners.get(this) ?? [];
  if (type === 'abort' && !of.some((each) => each.call === call)) {
    const isOnce = typeof options === 'object' && (options as { once?: boolean } | null)?.once === true;
    listeners.set(this, [...of, { call, isOnce }]);
  }
  Reflect.apply(addEventListener, this, [type, call, options]);
};
AbortSignal.prototype.removeEventListener = function remove(
  this: AbortSignal,
  type: string,
  call: unknown,
  options?: unknown,
) {
  const of = listeners.get(this) ?? [];
  if (type === 'abort')
    listeners.set(
      this,
      of.filter((each) => each.call !== call),
    );
  Reflect.apply(removeEventListener, this, [type, call, options]);
};

/** How many listeners a signal carries. */
export function listenersOf(signal: AbortSignal): number {
  return (listeners.get(signal) ?? []).filter(({ isOnce }) => !isOnce || !signal.aborted).length;
}

/** As its namesake of @streamweld/testing. */
export class LeakCheck {
  readonly unhandled: unknown[] = [];
  readonly #clock: () => VirtualClock | undefined;
  #signals: AbortSignal[] = [];
  #timers = 0;

  constructor(clock: () => VirtualClock | undefined = () => undefined) {
    this.#clock = clock;
  }

  controller(): AbortController {
    const controller = new AbortController();
    this.watch(controller.signal);
    return controller;
  }

  watch(signal: AbortSignal): void {
    this.#signals.push(signal);
  }

  begin(): void {
    this.unhandled.length = 0;
    this.#signals = [];
    this.#timers = this.#clock()?.activeTimers ?? 0;
    page.addEventListener('unhandledrejection', this.#onUnhandled);
  }

  /** @throws where something is left */
  async end(): Promise<void> {
    // A page tells of a rejection in a task of its own, after the turn in which nobody handled it.
    for (let turn = 0; turn < 4; turn += 1) await new Promise<void>((resolve) => setTimeout(resolve));
    page.removeEventListener('unhandledrejection', this.#onUnhandled);
    const left = [
      ...this.unhandled.map((reason) => `a rejection that nobody handled: ${String(reason)}`),
      ...this.#signals.filter((signal) => listenersOf(signal) > 0).map(() => 'a listener on a signal'),
      ...((this.#clock()?.activeTimers ?? 0) > this.#timers ? ['a virtual timer'] : []),
    ];
    if (left.length > 0) throw new Error(`Left behind: ${left.join('; ')}`);
  }

  readonly #onUnhandled = (event: Event): void => {
    this.unhandled.push((event as Event & { reason: unknown }).reason);
  };
}

export function useLeakCheck(
  hooks: TestHooks,
  options?: { clock?: (() => VirtualClock) | undefined },
): LeakCheck {
  const leaks = new LeakCheck(options?.clock);
  hooks.beforeEach(() => leaks.begin());
  hooks.afterEach(() => leaks.end());
  return leaks;
}
