/**
 * Until when a run that resumes has to be careful: some sink is ahead of where it resumes, and what that sink has must
 * not be in one batch with what it has not.
 */

/** Negative where `a` lies before `b`. */
export type ComparePositions = (lane: string, a: unknown, b: unknown) => number;

export class Caution {
  /** The lanes that are not beyond it yet. */
  readonly #ahead: Map<string, unknown>;
  readonly #compare: ComparePositions;

  /** @param ahead by the label of its lane, the furthest position that any sink holds. */
  constructor(ahead: ReadonlyMap<string, unknown>, compare: ComparePositions) {
    this.#ahead = new Map(ahead);
    this.#compare = compare;
  }

  get isNeeded(): boolean {
    return this.#ahead.size > 0;
  }

  /** Whether the furthest sink has what comes up to here; once it has not, the lane is forgotten. */
  covers(lane: string, position: unknown): boolean {
    if (!this.#ahead.has(lane)) return false;
    if (this.#compare(lane, position, this.#ahead.get(lane)) <= 0) return true;
    this.#ahead.delete(lane);
    return false;
  }

  /** The lane has come so far. */
  passed(lane: string, position: unknown): void {
    if (this.#ahead.has(lane) && this.#compare(lane, position, this.#ahead.get(lane)) >= 0)
      this.#ahead.delete(lane);
  }
}
