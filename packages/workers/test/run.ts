/** What the tests share: runs of a flow to its end, items with positions, memory that threads share. */

import {
  type Flow,
  collect,
  ConcurrentPipeline,
  type DeadLetter,
  type Positioned,
  type RunReport,
} from '@streamweld/core';

/** The address of what a test runs in threads. */
export function child(name: string): URL {
  return new URL(`./children/${name}`, import.meta.url);
}

export function upTo(end: number): number[] {
  return Array.from({ length: end }, (_, n) => n);
}

/** Counters that threads share with the test. */
export function shared(length: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
}

/** Resolves when the counter has come so far. */
export async function reached(
  counters: Int32Array<SharedArrayBuffer>,
  at: number,
  count: number,
): Promise<void> {
  for (let now = Atomics.load(counters, at); now < count; now = Atomics.load(counters, at)) {
    await Atomics.waitAsync(counters, at, now).value;
  }
}

/** Items with the count of those handed out as the position, a hundred at a time. */
export class Items<T> {
  readonly commits: number[] = [];
  handedOut = 0;
  readonly #items: readonly T[];

  constructor(items: readonly T[]) {
    this.#items = items;
  }

  pull(demand: number): Positioned<T, number> | undefined {
    const items = this.#items.slice(this.handedOut, this.handedOut + Math.min(demand, 100));
    if (items.length === 0) return undefined;
    this.handedOut += items.length;
    return { items, position: this.handedOut };
  }

  commit(positions: ReadonlyMap<string, number>): void {
    this.commits.push(...positions.values());
  }
}

export interface Ran<T> {
  readonly items: readonly T[];
  readonly letters: readonly DeadLetter[];
  readonly report: RunReport;
}

/** Runs a flow to its end, with a dead letter. */
export async function ran<T>(flow: Flow<T>): Promise<Ran<T>> {
  const sink = collect<T>();
  const letters = collect<DeadLetter>();
  const report = await new ConcurrentPipeline(flow, sink).deadLetter(letters).run();
  return { items: sink.items, letters: letters.items, report };
}
