/**
 * What must be gone when something has ended: whatever it brought into the process.
 *
 *     begin ── what there is ──► body ──► end: a few turns, and as long as closing takes ──► what is there besides?
 *
 * Sockets and files take some turns to close, so what is still there is looked at again until a short deadline of real
 * time. What was there before is nobody's leak.
 */

import { getEventListeners } from 'node:events';
import { fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import type { TestHooks, VirtualClock } from './virtual-clock.ts';

export interface LeakCheckOptions {
  /** A virtual clock on which no timer may be left. */
  readonly clock?: VirtualClock | (() => VirtualClock) | undefined;
  /** How long, in real time, what is being closed may take to be gone. Default 1000. */
  readonly deadlineMs?: number | undefined;
}

/**
 * - `rejection`: a promise that was rejected, and that nobody handled
 * - `warning`: Node warned of too many listeners
 * - `handle`: a socket, server, timer, child process or request that keeps the process alive
 * - `file`: an open file or folder (seen on Linux alone, and not in a worker thread: threads share what is open)
 * - `process listener`: a listener on `process`
 * - `signal listener`: a listener on an AbortSignal of the check
 * - `virtual timer`: a timer on the clock of the check
 */
export type LeakKind =
  | 'rejection'
  | 'warning'
  | 'handle'
  | 'file'
  | 'process listener'
  | 'signal listener'
  | 'virtual timer';

export interface Leak {
  readonly kind: LeakKind;
  /** What of this kind: `TCPSocketWrap`, the path of a file, the name of an event. */
  readonly what: string;
  readonly count: number;
}

/** Says what was left, how much of it, and of which kind. */
export class LeakError extends Error {
  readonly leaks: readonly Leak[];

  constructor(leaks: readonly Leak[]) {
    super(`Left behind: ${leaks.map(({ kind, what, count }) => `${count} ${kind} (${what})`).join(', ')}.`);
    this.name = 'LeakError';
    this.leaks = leaks;
  }
}

/** The real ones: a test may have put others in their place. */
const { setImmediate, setTimeout } = globalThis;
const now = performance.now.bind(performance);

/**
 * What is closing is looked at so often at least, however late it is: where the machine stood still for the whole deadline,
 * nothing has had its turn.
 */
const LEAST_LOOKS = 25;

/** How many there are of each, by what it is, with the name that it is told by. */
type Counts = ReadonlyMap<string, { readonly what: string; readonly count: number }>;

/** What there is of the kinds that are compared with before. */
interface Sight {
  readonly handles: Counts;
  readonly files: Counts;
  readonly listeners: Counts;
  readonly timers: number;
}

/** One watch over the process, from `begin` to `end`. For a body there is {@link withLeakCheck}. */
export class LeakCheck {
  /** What was rejected and not handled so far. A test that expects some takes them out. */
  readonly unhandled: unknown[] = [];
  readonly #clock: () => VirtualClock | undefined;
  readonly #deadlineMs: number;
  #warnings: Error[] = [];
  #signals: AbortSignal[] = [];
  #before: Sight | undefined;

  constructor({ clock, deadlineMs = 1000 }: LeakCheckOptions = {}) {
    this.#clock = typeof clock === 'function' ? clock : () => clock;
    this.#deadlineMs = deadlineMs;
  }

  /** A controller whose signal must be without listeners at the end. */
  controller(): AbortController {
    const controller = new AbortController();
    this.watch(controller.signal);
    return controller;
  }

  /** This signal must be without listeners at the end. */
  watch(signal: AbortSignal): void {
    this.#signals.push(signal);
  }

  /** From here on, what comes has to go. */
  begin(): void {
    this.unhandled.length = 0;
    this.#warnings = [];
    this.#signals = [];
    this.#before = this.#look();
    process.on('unhandledRejection', this.#onUnhandled);
    process.on('warning', this.#onWarning);
  }

  /**
   * Looks whether all that came since `begin` is gone.
   * @throws LeakError where it is not, even after the deadline.
   */
  async end(): Promise<void> {
    const leaks = await this.settle();
    if (leaks.length > 0) throw new LeakError(leaks);
  }

  /** As `end`, but answers what was left. */
  async settle(): Promise<readonly Leak[]> {
    const until = now() + this.#deadlineMs;
    try {
      // Rejections are told after the microtasks of a turn, warnings a tick later.
      await turn();
      await turn();
      // What cannot change any more is not waited for.
      for (let looks = 0; this.#left().some(({ kind }) => isPassing(kind)); looks += 1) {
        if (looks >= LEAST_LOOKS && now() >= until) break;
        await shortly();
      }
    } finally {
      process.off('unhandledRejection', this.#onUnhandled);
      process.off('warning', this.#onWarning);
    }
    return this.#left();
  }

  readonly #onUnhandled = (reason: unknown): void => {
    this.unhandled.push(reason);
  };

  readonly #onWarning = (warning: Error): void => {
    if (warning.name === 'MaxListenersExceededWarning') this.#warnings.push(warning);
  };

  #left(): Leak[] {
    const before = this.#before;
    if (before === undefined) throw new Error('LeakCheck: it ends without having begun.');
    const found = this.#look();
    const timers = found.timers - before.timers;
    return [
      ...this.unhandled.map((reason): Leak => ({ kind: 'rejection', what: String(reason), count: 1 })),
      ...this.#warnings.map((warning): Leak => ({ kind: 'warning', what: warning.message, count: 1 })),
      ...more('handle', before.handles, found.handles),
      ...more('file', before.files, found.files),
      ...more('process listener', before.listeners, found.listeners),
      ...this.#signals.flatMap((signal): Leak[] => {
        const count = listenersOf(signal);
        return count === 0 ? [] : [{ kind: 'signal listener', what: 'abort', count }];
      }),
      ...(timers > 0 ? [{ kind: 'virtual timer', what: 'setTimer', count: timers } as const] : []),
    ];
  }

  #look(): Sight {
    return {
      handles: handles(),
      files: openFiles(),
      listeners: this.#processListeners(),
      timers: this.#clock()?.activeTimers ?? 0,
    };
  }

  #processListeners(): Counts {
    const own: ReadonlyMap<string | symbol, unknown> = new Map<string | symbol, unknown>([
      ['unhandledRejection', this.#onUnhandled],
      ['warning', this.#onWarning],
    ]);
    return new Map(
      process.eventNames().map((event) => {
        const listeners = process
          .listeners(event as NodeJS.Signals)
          .filter((each) => each !== own.get(event));
        return [String(event), { what: String(event), count: listeners.length }];
      }),
    );
  }
}

/**
 * Runs a body, then looks that nothing it brought is left: unhandled rejections, warnings of too many listeners, handles
 * that keep the process alive, open files, listeners on `process`, on the signals of the check, and timers on its clock.
 *
 * Where the body fails, its failure is what is told.
 *
 * @throws LeakError that says what was left, how much of it, and of which kind.
 * @example
 * await withLeakCheck(async (leaks) => {
 *   await pipeline.run({ signal: leaks.controller().signal });
 * });
 */
export async function withLeakCheck(
  body: (leaks: LeakCheck) => Promise<void>,
  options?: LeakCheckOptions,
): Promise<void> {
  const leaks = new LeakCheck(options);
  leaks.begin();
  try {
    await body(leaks);
  } catch (error) {
    await leaks.settle();
    throw error;
  }
  await leaks.end();
}

/**
 * The same after each test of a file: takes the hooks of its runner.
 *
 * @example
 * const leaks = useLeakCheck({ beforeEach, afterEach });
 */
export function useLeakCheck(hooks: TestHooks, options?: LeakCheckOptions): LeakCheck {
  const leaks = new LeakCheck(options);
  hooks.beforeEach(() => leaks.begin());
  hooks.afterEach(() => leaks.end());
  return leaks;
}

/** How many listeners a signal carries. */
export function listenersOf(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

/** Whether what is left of this kind may still go by itself. */
function isPassing(kind: LeakKind): boolean {
  return kind !== 'rejection' && kind !== 'warning' && kind !== 'virtual timer';
}

function more(kind: LeakKind, before: Counts, found: Counts): Leak[] {
  const leaks: Leak[] = [];
  for (const [id, { what, count }] of found) {
    const added = count - (before.get(id)?.count ?? 0);
    if (added > 0) leaks.push({ kind, what, count: added });
  }
  return leaks;
}

function handles(): Counts {
  // A turn that is due is no handle, and a look comes in one.
  const kinds = process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate');
  return countEach(kinds.map((kind) => ({ id: kind, what: kind })));
}

/**
 * Files are no handles to Node, so they are asked of the system, where it tells. Sockets and pipes are handles already.
 * One that is renamed or deleted while it is open is still the same.
 */
function openFiles(): Counts {
  if (!isMainThread) return new Map();
  const files: { id: string; what: string }[] = [];
  let descriptors: string[];
  try {
    descriptors = readdirSync('/proc/self/fd');
  } catch {
    return new Map();
  }
  for (const descriptor of descriptors) {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      if (!path.startsWith('/')) continue;
      const { dev, ino } = fstatSync(Number(descriptor), { bigint: true });
      files.push({ id: `${dev}:${ino}`, what: path });
    } catch {
      // The folder of descriptors itself, closed since.
    }
  }
  return countEach(files);
}

function countEach(all: readonly { readonly id: string; readonly what: string }[]): Counts {
  const counts = new Map<string, { what: string; count: number }>();
  for (const { id, what } of all) {
    const known = counts.get(id);
    if (known === undefined) counts.set(id, { what, count: 1 });
    else known.count += 1;
  }
  return counts;
}

/** A turn of the event loop: its I/O, its closing handles. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A turn that leaves the processor to whoever else needs it, such as a child that is ending. */
function shortly(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}
