/** A source of a bench's items, for the checks that need a whole run: its position is how many came in a lane. */

import type { Positioned, Source, SourceContext } from '@streamweld/core';
import { Deferred } from '@streamweld/core/connector';
import type { SinkBench } from './sink-bench.ts';

/** The first item of each lane: lanes have no item in common. */
const APART = 100_000;

/** The most items of one batch: small, so that there are many positions. */
const MOST = 7;

export class ItemSource implements Source<unknown, number> {
  readonly name: string = 'items';
  /** What was committed last, in the first lane. */
  position = 0;
  /** How many items were handed out. */
  count = 0;
  isStopped = false;
  /** Called with each commit, and waited for. */
  onCommit: ((position: number) => Promise<void>) | undefined;
  readonly #bench: SinkBench;
  readonly #lanes: ReadonlyMap<string, number>;
  readonly #replace: (index: number) => unknown;
  readonly #at = new Map<string, number>();
  #next = 0;
  readonly #waiting: { readonly count: number; readonly reached: Deferred }[] = [];

  /** @param lanes how many items there are in each. @param replace another item in the place of this one, if any */
  constructor(
    bench: SinkBench,
    lanes: ReadonlyMap<string, number>,
    replace: (index: number) => unknown = () => undefined,
  ) {
    this.#bench = bench;
    this.#lanes = lanes;
    this.#replace = replace;
  }

  /** Resolves when so many items were handed out. */
  handedOut(count: number): Promise<void> {
    const reached = new Deferred();
    if (this.count >= count) reached.resolve();
    else this.#waiting.push({ count, reached });
    return reached.promise;
  }

  open({ positions }: SourceContext<number>): void {
    for (const lane of this.#lanes.keys()) this.#at.set(lane, positions.get(lane) ?? 0);
  }

  comparePositions(a: number, b: number): number {
    return a - b;
  }

  async pull(demand: number): Promise<Positioned<unknown, number> | undefined> {
    // A turn, so that a run has a middle in which something can happen.
    await new Promise((resolve) => setImmediate(resolve));
    const open = [...this.#lanes].filter(([lane, end]) => (this.#at.get(lane) ?? 0) < end);
    const found = open[this.#next++ % Math.max(1, open.length)];
    if (found === undefined || this.isStopped) return undefined;
    const [lane, end] = found;
    const from = this.#at.get(lane) ?? 0;
    const to = Math.min(end, from + Math.min(demand, 1 + (from % MOST)));
    this.#at.set(lane, to);
    const first = firstOf(this.#lanes, lane);
    const items = this.#bench.items(first + from, first + to);
    for (let index = from; index < to; index += 1) {
      const other = this.#replace(index);
      if (other !== undefined) items[index - from] = other;
    }
    this.count += items.length;
    for (const { count, reached } of this.#waiting) if (this.count >= count) reached.resolve();
    return { items, position: to, lane };
  }

  stop(): void {
    this.isStopped = true;
  }

  async commit(positions: ReadonlyMap<string, number>): Promise<void> {
    const [first = ''] = this.#lanes.keys();
    this.position = positions.get(first) ?? this.position;
    await this.onCommit?.(this.position);
  }
}

/** The number of the first item of a lane. */
export function firstOf(lanes: ReadonlyMap<string, number>, lane: string): number {
  return [...lanes.keys()].indexOf(lane) * APART;
}
