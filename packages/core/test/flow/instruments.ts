/** What the tests of flows share: ways to run one, a source of any items with positions, waits without time. */

import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Flow } from '../../src/flow/flow.ts';
import type { Positioned, Source } from '../../src/source.ts';

/** What a flow comes to in a loop. */
export async function iterate<T>(flow: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of flow) items.push(item);
  return items;
}

export interface PipelineSizes {
  readonly bufferSize?: number;
  readonly maxConcurrency?: number;
}

/** What a flow comes to in a pipeline. */
export async function pipe<T>(
  flow: Flow<T>,
  { bufferSize = 1000, maxConcurrency = 1 }: PipelineSizes = {},
): Promise<T[]> {
  const items: T[] = [];
  const sink = { name: 'taking', concurrency: 1, write: (batch: readonly T[]) => void items.push(...batch) };
  await new ConcurrentPipeline(flow, sink).bufferSize(bufferSize).maxConcurrency(maxConcurrency).run();
  return items;
}

/** Any items, with the count of those handed out as the position behind each batch. */
export class ListSource<T> implements Source<T, number> {
  readonly name = 'list';
  readonly demands: number[] = [];
  readonly commits: number[] = [];
  readonly closes: unknown[] = [];
  handedOut = 0;
  pullsAfterClose = 0;
  readonly #items: readonly T[];
  readonly #size: (demand: number) => number;
  readonly #isAsync: () => boolean;
  /** Whether an empty batch with a position comes next: it says "done up to here". */
  readonly #isEmpty: () => boolean;

  constructor(
    items: readonly T[],
    options: {
      readonly size?: (demand: number) => number;
      readonly isAsync?: () => boolean;
      readonly isEmpty?: () => boolean;
    } = {},
  ) {
    this.#items = items;
    this.#size = options.size ?? ((demand) => demand);
    this.#isAsync = options.isAsync ?? (() => false);
    this.#isEmpty = options.isEmpty ?? (() => false);
  }

  pull(demand: number): Positioned<T, number> | undefined | Promise<Positioned<T, number> | undefined> {
    if (this.closes.length > 0) this.pullsAfterClose += 1;
    this.demands.push(demand);
    const answer = this.#next(demand);
    return this.#isAsync() ? Promise.resolve(answer) : answer;
  }

  #next(demand: number): Positioned<T, number> | undefined {
    const left = this.#items.length - this.handedOut;
    if (left === 0) return undefined;
    if (this.#isEmpty()) return { items: [], position: this.handedOut };
    const count = Math.max(1, Math.min(demand, left, this.#size(demand)));
    const items = this.#items.slice(this.handedOut, this.handedOut + count);
    this.handedOut += count;
    return { items, position: this.handedOut };
  }

  commit(positions: ReadonlyMap<string, number>): void {
    this.commits.push(positions.get('') ?? Number.NaN);
  }

  close(reason?: unknown): void {
    this.closes.push(reason);
  }
}

/** Numbers drawn from a seed, for what a property makes happen while it runs. */
export function chance(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * below);
  };
}

/** Lets everything happen that takes no time. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** The numbers from 0 up to `end`. */
export function upTo(end: number): number[] {
  return Array.from({ length: end }, (_, i) => i);
}
