/**
 * What one stage did over time, gained from looks at it.
 *
 *     waiting for room in the buffer, and for items from it: exact, because core adds them up where they begin and end
 *     what else a source or an operator does:                seen by looking, each look counted as long as it lies after
 *                                                            the one before, and shared out over the time that is left
 */

import type { StageLook } from './graph.ts';
import type { FailureSample, Rate, Shares } from './sample.ts';

/** Milliseconds of each. */
export interface Spent {
  /** By looks, of those that found room in the buffer. */
  busy: number;
  waitingForInput: number;
  waitingForRoom: number;
  /** Of sources and operators: there was no room in the buffer behind them. Of others: their own buffer was seen full. */
  full: number;
  /** All of it. */
  active: number;
  /** Seen with calls of its own outstanding. */
  calling: number;
}

/** What a stage is looked at with. */
export interface Circumstance {
  readonly now: number;
  /** Since the look before, in milliseconds. */
  readonly ms: number;
  /** Of a source or an operator: how long there was no room since, and whether there is none now. */
  readonly fullMs: number;
  readonly isFull: boolean;
  /** It was neither paused nor about to begin. */
  readonly isMoving: boolean;
}

interface Period {
  readonly spent: Spent;
  readonly at: number;
  readonly items: number;
}

/** How long the window of shares is, and that of rates. */
const SHARES_MS = 10_000;
const RATE_MS = 2000;

const NONE: readonly FailureSample[] = [];

export class StageTrack {
  readonly id: string;
  #last: StageLook | undefined;
  #now: Spent = nothing();
  readonly #total: Spent = nothing();
  /** The sum of the periods. */
  readonly #lately: Spent = nothing();
  readonly #periods: Period[] = [];
  /** The last period that ended before the window of rates. */
  #rateFrom = 0;
  #firstItems = 0;
  #activeMs = 0;
  readonly #failures = new Map<string, { count: number; at: number }>();

  constructor(id: string) {
    this.id = id;
  }

  look(look: StageLook, circumstance: Circumstance): void {
    const { now, ms, isMoving } = circumstance;
    const last = this.#last;
    this.#last = look;
    for (const { code, count } of look.failures)
      if (this.#failures.get(code)?.count !== count) this.#failures.set(code, { count, at: now });
    if (last === undefined) {
      this.#firstItems = look.items;
      this.#periods.push({ spent: nothing(), at: now, items: look.items });
      return;
    }
    if (!isMoving) return;
    this.#activeMs += ms;
    if (look.activity === 'idle') return;
    this.#now.active += ms;
    if (look.inFlight > 0) this.#now.calling += ms;
    const isBefore = look.kind === 'source' || look.kind === 'operator';
    if (isBefore) this.#spendBefore(look, circumstance);
    else this.#spendBehind(look, circumstance, Math.min(ms, Math.max(0, look.waitedMs - last.waitedMs)));
  }

  #spendBefore({ activity }: StageLook, { ms, fullMs, isFull }: Circumstance): void {
    this.#now.full += Math.min(ms, fullMs);
    if (!isFull && activity !== 'idle') this.#now[activity] += ms;
  }

  #spendBehind({ kind, buffer }: StageLook, { ms }: Circumstance, waitedMs: number): void {
    this.#now.waitingForInput += waitedMs;
    this.#now[kind === 'sink' ? 'busy' : 'waitingForRoom'] += ms - waitedMs;
    if (buffer !== undefined && buffer.demand <= 0) this.#now.full += ms;
  }

  /** Ends a period: called a few times a second. */
  turn(now: number): void {
    const items = this.#last?.items ?? 0;
    const spent = this.#now;
    this.#now = nothing();
    this.#periods.push({ spent, at: now, items });
    add(this.#total, spent, 1);
    add(this.#lately, spent, 1);
    for (let first = this.#periods[0]; first !== undefined && first.at < now - SHARES_MS; ) {
      add(this.#lately, first.spent, -1);
      this.#periods.shift();
      this.#rateFrom -= 1;
      first = this.#periods[0];
    }
    this.#rateFrom = Math.max(0, this.#rateFrom);
    while ((this.#periods[this.#rateFrom + 1]?.at ?? now) <= now - RATE_MS) this.#rateFrom += 1;
  }

  rate(now: number): Rate {
    const items = this.#last?.items ?? 0;
    const base = this.#periods[this.#rateFrom];
    const ms = base === undefined ? 0 : now - base.at;
    return {
      now: base === undefined || ms <= 0 ? 0 : Math.max(0, ((items - base.items) * 1000) / ms),
      average: this.#activeMs <= 0 ? 0 : ((items - this.#firstItems) * 1000) / this.#activeMs,
    };
  }

  /** What the last ten seconds went on, in milliseconds. */
  get lately(): Readonly<Spent> {
    return this.#lately;
  }

  get #isBefore(): boolean {
    return this.#last?.kind === 'source' || this.#last?.kind === 'operator';
  }

  get shares(): Shares {
    return sharesOf(this.#lately, this.#isBefore);
  }

  /** Worked out when it is asked for: at the end, once. */
  readonly overall = (): Shares => sharesOf(this.#total, this.#isBefore);

  failures(now: number): readonly FailureSample[] {
    if (this.#failures.size === 0) return NONE;
    return [...this.#failures].map(([code, { count, at }]) => ({ code, count, agoMs: now - at }));
  }
}

/** One by one: written as a loop over names it would cost the most of all that a sample does. */
function add(sum: Spent, spent: Spent, sign: 1 | -1): void {
  sum.busy += sign * spent.busy;
  sum.waitingForInput += sign * spent.waitingForInput;
  sum.waitingForRoom += sign * spent.waitingForRoom;
  sum.full += sign * spent.full;
  sum.active += sign * spent.active;
  sum.calling += sign * spent.calling;
}

function nothing(): Spent {
  return { busy: 0, waitingForInput: 0, waitingForRoom: 0, full: 0, active: 0, calling: 0 };
}

/** @param isBefore the buffer: then what was full is known apart from the rest. */
function sharesOf(spent: Spent, isBefore: boolean): Shares {
  const { busy, waitingForInput, waitingForRoom, full, active } = spent;
  const isFull = isBefore && active > 0.001 ? Math.min(1, full / active) : 0;
  const seen = busy + waitingForInput + waitingForRoom;
  // What was added and taken away again leaves a rounding error.
  if (seen < 0.001) return { busy: 0, waitingForInput: 0, waitingForRoom: isFull === 0 ? 0 : 1 };
  const rest = (1 - isFull) / seen;
  return {
    busy: busy * rest,
    waitingForInput: waitingForInput * rest,
    waitingForRoom: isFull + waitingForRoom * rest,
  };
}
