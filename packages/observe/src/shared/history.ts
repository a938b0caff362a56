/** What was, for curves: a ring of points, each a time and the values there were. Its memory does not grow with time. */

/** Points in order of time; a value that was not known then is NaN. */
export interface HistoryPoints {
  /** Milliseconds on the runtime's clock. */
  readonly times: readonly number[];
  readonly series: ReadonlyMap<string, readonly number[]>;
}

export class History {
  readonly #points: number;
  readonly #times: Float64Array;
  readonly #series = new Map<string, Float32Array>();
  /** Points that were ever added. */
  #added = 0;

  /** @param points the most that are kept. */
  constructor(points: number) {
    this.#points = points;
    this.#times = new Float64Array(points);
  }

  add(time: number, values: ReadonlyMap<string, number>): void {
    const at = this.#added % this.#points;
    this.#times[at] = time;
    for (const name of values.keys())
      if (!this.#series.has(name)) this.#series.set(name, new Float32Array(this.#points).fill(Number.NaN));
    for (const [name, ring] of this.#series) ring[at] = values.get(name) ?? Number.NaN;
    this.#added += 1;
    // What left long ago is forgotten.
    if (at === 0) this.#forget();
  }

  /** The points after `time`; all that are kept, unless it is given. @param names of the values; all, unless given */
  since(
    time: number = Number.NEGATIVE_INFINITY,
    names: Iterable<string> = this.#series.keys(),
  ): HistoryPoints {
    const places: number[] = [];
    for (let n = Math.max(0, this.#added - this.#points); n < this.#added; n++) {
      const at = n % this.#points;
      if ((this.#times[at] as number) > time) places.push(at);
    }
    const pick = (ring: Float32Array | Float64Array): number[] => places.map((at) => ring[at] as number);
    const series = new Map<string, number[]>();
    for (const name of names) {
      const ring = this.#series.get(name);
      if (ring !== undefined) series.set(name, pick(ring));
    }
    return { times: pick(this.#times), series };
  }

  #forget(): void {
    for (const [name, ring] of this.#series) if (ring.every(Number.isNaN)) this.#series.delete(name);
  }
}
