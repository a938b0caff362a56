/** A sink that keeps positions, and a source that resumes from any of them: what exactly once is tried with. */

import type { Sink, SinkContext, WriteContext } from '../src/sink.ts';
import type { Positioned, Source, SourceContext } from '../src/source.ts';
import type { VirtualClock } from '@streamweld/testing';

/** What outlives a crash: items, and the positions they were kept with. */
export class Table<T> {
  items: T[] = [];
  positions = new Map<string, unknown>();
}

/** A sink that keeps items and positions in one step, some time after it was asked to. */
export class KeepingSink<T> implements Sink<T> {
  readonly name: string = 'keeping';
  readonly keepsPositions: boolean = true;
  readonly concurrency: number;
  readonly contexts: WriteContext[] = [];
  context: SinkContext | undefined;
  outstanding = 0;
  mostOutstanding = 0;
  /** How often it kept positions alone. */
  kept = 0;
  /** The process is gone: nothing it still does counts. */
  isDead = false;
  readonly #table: Table<T>;
  readonly #wait: () => Promise<void>;

  readonly batching: { readonly maxItems: number | undefined };

  constructor(table: Table<T>, wait: () => Promise<void>, concurrency = 1, maxItems?: number) {
    this.batching = { maxItems };
    this.#table = table;
    this.#wait = wait;
    this.concurrency = concurrency;
  }

  open(context: SinkContext): void {
    this.context = context;
  }

  positions(): ReadonlyMap<string, unknown> {
    return new Map(this.#table.positions);
  }

  async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    await this.#wait();
    if (this.isDead) return;
    this.kept += 1;
    for (const [lane, position] of positions) this.#table.positions.set(lane, position);
  }

  async write(batch: readonly T[], context: WriteContext): Promise<void> {
    this.contexts.push(context);
    this.outstanding += 1;
    this.mostOutstanding = Math.max(this.mostOutstanding, this.outstanding);
    try {
      await this.#wait();
    } finally {
      this.outstanding -= 1;
    }
    if (this.isDead) return;
    this.#table.items.push(...batch);
    for (const [lane, position] of context.positions ?? []) this.#table.positions.set(lane, position);
  }
}

/** Numbers in a lane, in batches of random sizes, from where it is told to resume. */
export class LaneSource implements Source<number, number> {
  readonly name: string;
  readonly #end: number;
  readonly #lanes: readonly string[];
  readonly #clock: VirtualClock;
  readonly #at = new Map<string, number>();

  constructor(name: string, lanes: readonly string[], end: number, clock: VirtualClock) {
    this.name = name;
    this.#lanes = lanes;
    this.#end = end;
    this.#clock = clock;
  }

  open({ positions }: SourceContext<number>): void {
    for (const lane of this.#lanes) this.#at.set(lane, positions.get(lane) ?? 0);
  }

  comparePositions(a: number, b: number): number {
    return a - b;
  }

  async pull(demand: number): Promise<Positioned<number, number> | undefined> {
    if (this.#clock.random() < 0.5) await this.#clock.sleep(Math.floor(this.#clock.random() * 4));
    const open = this.#lanes.filter((lane) => (this.#at.get(lane) as number) < this.#end);
    const lane = open[Math.floor(this.#clock.random() * open.length)];
    if (lane === undefined) return undefined;
    const from = this.#at.get(lane) as number;
    if (this.#clock.random() < 0.1) return { items: [], position: from, lane };
    const count = Math.min(demand, this.#end - from, 1 + Math.floor(this.#clock.random() * 9));
    this.#at.set(lane, from + count);
    const base = this.#lanes.indexOf(lane) * 1000 + (this.name === 'second' ? 100_000 : 0);
    return { items: Array.from({ length: count }, (_, i) => base + from + i), position: from + count, lane };
  }
}
