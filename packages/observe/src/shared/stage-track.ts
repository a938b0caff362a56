/**
 * What one stage did over time, gained from looks at it.
 *
 * A sink's waiting is exact: core adds it up. Whether a source or an operator is busy or waits is only seen when somebody
 * looks, so its shares are those of looks, each counted as long as it lies after the one before.
 */

import type { BufferSnapshot } from '@streamweld/core';
import type { StageLook } from './graph.ts';
import type { FailureSample, Rate, Shares } from './sample.ts';

/** Milliseconds of each, and how far its count had come. */
export interface Spent {
  busy: number;
  waitingForInput: number;
  waitingForRoom: number;
  /** Of a source: no room for a pull, exactly. Of what has a buffer: seen full. */
  full: number;
  /** Calls of its own were outstanding. */
  calling: number;
}

interface Period extends Spent {
  readonly at: number;
  readonly items: number;
}

/** How long the window of shares is, and that of rates. */
const SHARES_MS = 10_000;
const RATE_MS = 2000;

export class StageTrack {
  #last: StageLook | undefined;
  #now: Spent = nothing();
  readonly #total: Spent = nothing();
  #periods: Period[] = [];
  #firstItems = 0;
  #activeMs = 0;
  readonly #failures = new Map<string, { count: number; at: number }>();

  /** @param ms since the look before. @param isMoving it was neither paused nor about to begin. */
  look(
    look: StageLook,
    buffer: BufferSnapshot | undefined,
    now: number,
    ms: number,
    isMoving: boolean,
  ): void {
    const last = this.#last;
    this.#last = look;
    for (const { code, count } of look.failures)
      if (this.#failures.get(code)?.count !== count) this.#failures.set(code, { count, at: now });
    if (last === undefined) {
      this.#firstItems = look.items;
      this.#periods.push({ ...nothing(), at: now, items: look.items });
      return;
    }
    if (!isMoving) return;
    this.#activeMs += ms;
    this.#spend(look, buffer, ms, Math.min(ms, Math.max(0, look.waitedMs - last.waitedMs)));
  }

  #spend(look: StageLook, buffer: BufferSnapshot | undefined, ms: number, waitedMs: number): void {
    const { activity, kind } = look;
    const spent = this.#now;
    const isFull = kind === 'source' ? waitedMs : buffer !== undefined && buffer.demand <= 0 ? ms : 0;
    spent.full += isFull;
    if (look.inFlight > 0) spent.calling += ms;
    if (activity === 'idle') return;
    if (kind === 'sink' || kind === 'dispatcher') {
      spent.waitingForInput += waitedMs;
      spent[kind === 'sink' ? 'busy' : 'waitingForRoom'] += ms - waitedMs;
    } else {
      spent[activity] += ms;
    }
  }

  /** Ends a period: called a few times a second. */
  turn(now: number): void {
    const items = this.#last?.items ?? 0;
    for (const key of KEYS) this.#total[key] += this.#now[key];
    this.#periods.push({ ...this.#now, at: now, items });
    this.#now = nothing();
    // One from before the window stays: its count is where the window begins.
    while ((this.#periods[1]?.at ?? now) < now - SHARES_MS) this.#periods.shift();
  }

  rate(now: number): Rate {
    const items = this.#last?.items ?? 0;
    const base = this.#periods.findLast(({ at }) => at <= now - RATE_MS) ?? this.#periods[0];
    const ms = base === undefined ? 0 : now - base.at;
    return {
      now: base === undefined || ms <= 0 ? 0 : Math.max(0, ((items - base.items) * 1000) / ms),
      average: this.#activeMs <= 0 ? 0 : ((items - this.#firstItems) * 1000) / this.#activeMs,
    };
  }

  /** What the last ten seconds went on, in milliseconds. */
  get lately(): Spent {
    const sum = nothing();
    for (const period of this.#periods) for (const key of KEYS) sum[key] += period[key];
    return sum;
  }

  /** Milliseconds that it is watched and was not paused. */
  get activeMs(): number {
    return this.#activeMs;
  }

  get shares(): Shares {
    return sharesOf(this.lately);
  }

  get overall(): Shares {
    return sharesOf(this.#total);
  }

  failures(now: number): FailureSample[] {
    return [...this.#failures].map(([code, { count, at }]) => ({ code, count, agoMs: now - at }));
  }
}

const KEYS = ['busy', 'waitingForInput', 'waitingForRoom', 'full', 'calling'] as const;

function nothing(): Spent {
  return { busy: 0, waitingForInput: 0, waitingForRoom: 0, full: 0, calling: 0 };
}

function sharesOf({ busy, waitingForInput, waitingForRoom }: Spent): Shares {
  const all = busy + waitingForInput + waitingForRoom;
  if (all === 0) return { busy: 0, waitingForInput: 0, waitingForRoom: 0 };
  return {
    busy: busy / all,
    waitingForInput: waitingForInput / all,
    waitingForRoom: waitingForRoom / all,
  };
}
