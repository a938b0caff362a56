/**
 * A limit on how many items are written in a second, shared by whoever is given it.
 *
 *     bucket: up to `burst` tokens, `perSecond` more each second; a write takes one for each of its items
 *     who waits:  user A [w1 w2]   user B [w3]     the user who was served least is next
 */

import { OptionError } from '../errors.ts';
import { checkCount, checkOptions } from '../options.ts';
import { runtime } from '../runtime.ts';

export interface RateLimitOptions {
  /** Items a second, on the long run. */
  readonly perSecond: number;
  /** Items that may go at once after a rest. Default: those of one second, at least 1. */
  readonly burst?: number | undefined;
}

interface Reservation {
  readonly items: number;
  readonly granted: () => void;
}

/** Time is measured in fractions of milliseconds, and sums of them are not exact. */
const EPSILON = 1e-6;

/**
 * At most `perSecond` items a second, and at most `burst` at once. One limit may be given to several pipelines and
 * subscriptions: they share it, each getting as many items as the others, however large its writes are. A write larger
 * than `burst` waits for a full bucket, and those after it until what it took too much has come in.
 *
 * @example
 * const limit = new RateLimit({ perSecond: 1000, burst: 200 });
 * pipeline.rateLimit(limit);
 * limit.perSecond = 2000; // counts at once
 */
export class RateLimit {
  #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number | undefined;
  #timer: unknown;
  /** Users with reservations. */
  readonly #waiting = new Set<RateLimitUser>();
  /** How much whoever was served last had been served before: newcomers begin there, not at nothing. */
  #level = 0;

  /** @throws OptionError */
  constructor(options: RateLimitOptions) {
    const { perSecond, burst } = checkOptions('RateLimit', options, ['perSecond', 'burst']);
    this.#perSecond = checkRate(perSecond);
    this.#burst = checkCount('RateLimit.burst', burst ?? Math.max(1, Math.floor(this.#perSecond)));
    this.#tokens = this.#burst;
  }

  get perSecond(): number {
    return this.#perSecond;
  }

  /** Counts at once, for those who wait too. @throws OptionError */
  set perSecond(perSecond: number) {
    const rate = checkRate(perSecond);
    this.#fill();
    this.#perSecond = rate;
    this.#serve();
  }

  get burst(): number {
    return this.#burst;
  }

  /** A new user. @internal */
  join(): RateLimitUser {
    return new RateLimitUser(
      (user, reservation) => this.#reserve(user, reservation),
      (user) => this.#left(user),
    );
  }

  /** Whether the items may go at once; otherwise it is told when. */
  #reserve(user: RateLimitUser, { items }: Reservation): boolean {
    user.served = Math.max(user.served, this.#level);
    this.#fill();
    if (this.#waiting.size === 0 && this.#has(items)) {
      this.#take(user, items);
      return true;
    }
    this.#waiting.add(user);
    this.#schedule();
    return false;
  }

  #left(user: RateLimitUser): void {
    if (user.waiting.length === 0) this.#waiting.delete(user);
    this.#serve();
  }

  #has(items: number): boolean {
    return this.#tokens + EPSILON >= Math.min(items, this.#burst);
  }

  #take(user: RateLimitUser, items: number): void {
    this.#tokens -= items;
    this.#level = user.served;
    user.served += items;
  }

  #fill(): void {
    const now = runtime.now();
    const since = this.#filledAt === undefined ? 0 : now - this.#filledAt;
    this.#filledAt = now;
    this.#tokens = Math.min(this.#burst, this.#tokens + (since * this.#perSecond) / 1000);
  }

  #next(): RateLimitUser | undefined {
    let next: RateLimitUser | undefined;
    for (const user of this.#waiting) if (next === undefined || user.served < next.served) next = user;
    return next;
  }

  /** Lets everybody go who may. */
  #serve(): void {
    this.#fill();
    const granted: (() => void)[] = [];
    for (let user = this.#next(); user !== undefined; user = this.#next()) {
      const first = user.waiting[0] as Reservation;
      if (!this.#has(first.items)) break;
      user.waiting.shift();
      // Whoever is served goes to the end, for the sake of those who have had as much.
      this.#waiting.delete(user);
      if (user.waiting.length > 0) this.#waiting.add(user);
      this.#take(user, first.items);
      granted.push(first.granted);
    }
    this.#schedule();
    for (const call of granted) call();
  }

  #schedule(): void {
    if (this.#timer !== undefined) runtime.clearTimer(this.#timer);
    this.#timer = undefined;
    const first = this.#next()?.waiting[0];
    if (first === undefined) return;
    const missing = Math.min(first.items, this.#burst) - this.#tokens;
    const ms = Math.max(0, Math.ceil((missing / this.#perSecond) * 1000));
    this.#timer = runtime.setTimer(this.#onTimer, Math.min(ms, 0x7fffffff));
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    this.#serve();
  };
}

/** One who writes under a limit. */
export class RateLimitUser {
  readonly waiting: Reservation[] = [];
  /** Items it was served, or would have been, had it always been there. */
  served = 0;
  readonly #reserve: (user: RateLimitUser, reservation: Reservation) => boolean;
  readonly #left: (user: RateLimitUser) => void;

  constructor(
    reserve: (user: RateLimitUser, reservation: Reservation) => boolean,
    left: (user: RateLimitUser) => void,
  ) {
    this.#reserve = reserve;
    this.#left = left;
  }

  /** Nothing: the items may go at once. Otherwise `granted` is called when they may; what is answered takes it back. */
  reserve(items: number, granted: () => void): (() => void) | undefined {
    const reservation: Reservation = { items, granted };
    // First in line among its own: nobody of them is overtaken.
    this.waiting.push(reservation);
    if (this.waiting.length === 1 && this.#reserve(this, reservation)) {
      this.waiting.pop();
      return undefined;
    }
    return () => {
      const index = this.waiting.indexOf(reservation);
      if (index < 0) return;
      this.waiting.splice(index, 1);
      this.#left(this);
    };
  }
}

function checkRate(value: unknown): number {
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  throw new OptionError('RateLimit.perSecond', 'a number above 0', value);
}
