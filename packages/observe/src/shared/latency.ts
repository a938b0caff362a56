/**
 * How long calls took, of about the last ten seconds: counted in classes, so that a million calls take no more room than ten,
 * and at most a hundred a second, so that measuring takes no more time than can be spared.
 */

export interface Latency {
  /** Calls that were measured. */
  readonly count: number;
  /** Half of them took no longer than this, in milliseconds; the others likewise. Good to a twelfth. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const CLASSES_PER_OCTAVE = 8;
/** From a microsecond up to twelve days. */
const CLASSES = 40 * CLASSES_PER_OCTAVE;
const HALF_MS = 5000;
/** So many calls are measured in so many milliseconds, the first that come. */
const MOST = 25;
const TURN_MS = 250;

export class LatencyWindow {
  #recent = new Uint32Array(CLASSES);
  #before = new Uint32Array(CLASSES);
  #recentCount = 0;
  #beforeCount = 0;
  #recentMax = 0;
  #beforeMax = 0;
  #since = 0;
  #left = MOST;
  #renewedAt = Number.NEGATIVE_INFINITY;

  /** Whether the next call is to be measured; asked as it begins. */
  get isWanted(): boolean {
    return this.#left > 0;
  }

  /** @param now on the clock that `summary` is asked by. */
  add(ms: number, now: number): void {
    this.#turn(now);
    this.#left -= 1;
    const at = classOf(ms);
    this.#recent[at] = (this.#recent[at] ?? 0) + 1;
    this.#recentCount += 1;
    if (ms > this.#recentMax) this.#recentMax = ms;
  }

  /** Nothing, where no call ended lately. */
  summary(now: number): Latency | undefined {
    this.#turn(now);
    if (now - this.#renewedAt >= TURN_MS) {
      this.#renewedAt = now;
      this.#left = MOST;
    }
    const count = this.#recentCount + this.#beforeCount;
    if (count === 0) return undefined;
    const maxMs = Math.max(this.#recentMax, this.#beforeMax);
    const [p50Ms, p95Ms, p99Ms] = this.#within([0.5, 0.95, 0.99], count).map((ms) => Math.min(maxMs, ms)) as [
      number,
      number,
      number,
    ];
    return { count, p50Ms, p95Ms, p99Ms, maxMs };
  }

  /** How long these shares of the calls took at most. One walk for all of them, from the least to the largest. */
  #within(shares: readonly number[], count: number): number[] {
    let at = -1;
    let seen = 0;
    return shares.map((share) => {
      const rank = Math.ceil(count * share);
      while (seen < rank && at < CLASSES) {
        at += 1;
        seen += (this.#recent[at] ?? 0) + (this.#before[at] ?? 0);
      }
      return boundOf(at);
    });
  }

  #turn(now: number): void {
    const halves = Math.floor((now - this.#since) / HALF_MS);
    if (halves < 1) return;
    this.#since += halves * HALF_MS;
    const emptied = this.#before.fill(0);
    this.#before = halves === 1 ? this.#recent : emptied;
    this.#beforeCount = halves === 1 ? this.#recentCount : 0;
    this.#recentCount = 0;
    this.#beforeMax = halves === 1 ? this.#recentMax : 0;
    this.#recent = halves === 1 ? emptied : this.#recent.fill(0);
    this.#recentMax = 0;
  }
}

function classOf(ms: number): number {
  if (ms <= 0.001) return 0;
  return Math.min(CLASSES - 1, Math.ceil(Math.log2(ms * 1000) * CLASSES_PER_OCTAVE));
}

/** The longest that falls into a class, in milliseconds. */
function boundOf(at: number): number {
  return 2 ** (at / CLASSES_PER_OCTAVE) / 1000;
}
