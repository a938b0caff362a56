/** Sources and sinks that do what a test tells them, when it tells them, and keep a record of what was asked of them. */

import type { Accepted, DeferredReceipt, Sink, SinkContext, WriteContext } from '../src/sink.ts';
import type { Positioned, Source, SourceContext } from '../src/source.ts';

type Answer<T> = readonly T[] | Positioned<T, number> | undefined;

export interface PendingPull<T> {
  readonly demand: number;
  answer(answer: Answer<T>): void;
  fail(error: unknown): void;
}

/** A source whose pulls are settled by hand. */
export class ControlledSource<T> implements Source<T, number> {
  readonly name: string = 'controlled source';
  readonly pulls: PendingPull<T>[] = [];
  readonly calls: string[] = [];
  readonly commits: ReadonlyMap<string, number>[] = [];
  context: SourceContext<number> | undefined;
  closedWith: unknown[] = [];
  /** Pulls that came while another was outstanding, or after the end or the close: all against the contract. */
  readonly breaches: string[] = [];
  #outstanding = 0;
  #ended = false;

  open(context: SourceContext<number>): void {
    this.calls.push('open');
    this.context = context;
  }

  pull(demand: number): Promise<Answer<T>> {
    this.calls.push('pull');
    if (this.#outstanding > 0) this.breaches.push('S2');
    if (this.#ended) this.breaches.push('S5');
    if (this.closedWith.length > 0) this.breaches.push('S10');
    this.#outstanding += 1;
    return new Promise((resolve, reject) => {
      this.pulls.push({
        demand,
        answer: (answer) => {
          this.#outstanding -= 1;
          if (answer === undefined) this.#ended = true;
          resolve(answer);
        },
        fail: (error) => {
          this.#outstanding -= 1;
          reject(error);
        },
      });
    });
  }

  /** The outstanding pull, or the last one. */
  get lastPull(): PendingPull<T> {
    const last = this.pulls.at(-1);
    if (last === undefined) throw new Error('It was never pulled.');
    return last;
  }

  stop(): void {
    this.calls.push('stop');
    if (this.#outstanding > 0) this.lastPull.answer(undefined);
  }

  commit(positions: ReadonlyMap<string, number>): void {
    this.calls.push('commit');
    if (this.closedWith.length > 0) this.breaches.push('S10');
    this.commits.push(new Map(positions));
  }

  close(reason?: unknown): void {
    this.calls.push('close');
    this.closedWith.push(reason);
  }
}

export interface PendingWrite<T> {
  readonly batch: readonly T[];
  readonly context: WriteContext;
  accept(answer?: Accepted): void;
  fail(error: unknown): void;
}

/** A sink whose writes are settled by hand. */
export class ControlledSink<T> implements Sink<T> {
  readonly name: string = 'controlled sink';
  readonly concurrency?: number;
  readonly writes: PendingWrite<T>[] = [];
  readonly calls: string[] = [];
  context: SinkContext | undefined;
  closedWith: unknown[] = [];
  outstanding = 0;
  mostOutstanding = 0;

  constructor(concurrency?: number) {
    if (concurrency !== undefined) this.concurrency = concurrency;
  }

  open(context: SinkContext): void {
    this.calls.push('open');
    this.context = context;
  }

  write(batch: readonly T[], context: WriteContext): Promise<void | Accepted> {
    this.calls.push('write');
    this.outstanding += 1;
    this.mostOutstanding = Math.max(this.mostOutstanding, this.outstanding);
    return new Promise((resolve, reject) => {
      this.writes.push({
        batch,
        context,
        accept: (answer) => {
          this.outstanding -= 1;
          resolve(answer);
        },
        fail: (error) => {
          this.outstanding -= 1;
          reject(error);
        },
      });
    });
  }

  get items(): T[] {
    return this.writes.flatMap(({ batch }) => [...batch]);
  }

  flush(): void {
    this.calls.push('flush');
  }

  close(reason?: unknown): void {
    this.calls.push('close');
    this.closedWith.push(reason);
  }
}

/** Numbers from 0 up to `end`, each batch with a position behind it, in batches as the test sizes them. */
export class CountingSource implements Source<number, number> {
  readonly name: string = 'counting';
  readonly commits: ReadonlyMap<string, number>[] = [];
  handedOut = 0;
  demands: number[] = [];
  closedWith: unknown[] = [];
  stopped = 0;
  pullsAfterClose = 0;
  readonly #end: number;
  readonly #size: (demand: number) => number;
  readonly #wait: (() => Promise<void>) | undefined;
  readonly #lane: string | undefined;

  constructor(
    end: number,
    options: { size?: (demand: number) => number; wait?: () => Promise<void>; lane?: string } = {},
  ) {
    this.#end = end;
    this.#size = options.size ?? ((demand) => demand);
    this.#wait = options.wait;
    this.#lane = options.lane;
  }

  /** The position that was last committed. */
  get committed(): number {
    return this.commits.at(-1)?.get(this.#lane ?? '') ?? 0;
  }

  pull(
    demand: number,
  ): Positioned<number, number> | undefined | Promise<Positioned<number, number> | undefined> {
    if (this.closedWith.length > 0) this.pullsAfterClose += 1;
    this.demands.push(demand);
    return this.#wait === undefined ? this.#next(demand) : this.#wait().then(() => this.#next(demand));
  }

  #next(demand: number): Positioned<number, number> | undefined {
    const left = this.#end - this.handedOut;
    if (left <= 0) return undefined;
    const count = Math.max(1, Math.min(demand, left, this.#size(demand)));
    const items = Array.from({ length: count }, (_, i) => this.handedOut + i);
    this.handedOut += count;
    return { items, position: this.handedOut, ...(this.#lane === undefined ? {} : { lane: this.#lane }) };
  }

  stop(): void {
    this.stopped += 1;
  }

  commit(positions: ReadonlyMap<string, number>): void {
    this.commits.push(new Map(positions));
  }

  close(reason?: unknown): void {
    this.closedWith.push(reason);
  }
}

/** A sink that defers every write and lets the test settle it. */
export function deferringSink<T>(): Sink<T> & { readonly receipts: DeferredReceipt[] } {
  const receipts: DeferredReceipt[] = [];
  return {
    name: 'deferring',
    receipts,
    write: (_batch, context) => {
      receipts.push(context.defer());
    },
  };
}

/** What a promise was rejected with; fails the test when it was not. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`Expected a rejection, got ${JSON.stringify(value)}.`);
}
