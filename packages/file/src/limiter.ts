/** Lets no more than so many tasks run at once; the others start in the order they came. */
export class Limiter {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(most: number) {
    this.#most = most;
  }

  async run<R>(task: () => Promise<R>): Promise<R> {
    if (this.#running >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await task();
    } finally {
      // The seat goes from hand to hand, so that nobody slips in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /**
   * Runs a task for each. All get their turn, also after a failure; then the first failure is thrown, one that `isWorse`
   * before any other.
   */
  async forAll<E>(
    all: readonly E[],
    task: (each: E) => Promise<void>,
    isWorse: (reason: unknown) => boolean = () => false,
  ): Promise<void> {
    if (all.length === 1) return task(all[0] as E);
    const results = await Promise.allSettled(all.map((each) => this.run(() => task(each))));
    const reasons: unknown[] = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason] : [],
    );
    if (reasons.length > 0) throw reasons.find(isWorse) ?? reasons[0];
  }
}
