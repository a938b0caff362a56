/** The flights as a source: decoded in a thread, made into objects here as they are asked for. */

import { Worker } from 'node:worker_threads';
import type { Positioned, Source, SourceContext } from '@streamweld/core';
import type { Flight } from './flight.ts';

/** What the thread is told when it starts: the rows from `firstRow` up to, and without, `endRow`. */
export interface Assignment {
  readonly file?: string | undefined;
  readonly firstRow: number;
  readonly endRow: number;
}

/** A row group as it comes from the thread: columns, and lists of texts that some of them point into. */
export interface RowGroup {
  readonly firstRow: number;
  readonly rows: number;
  readonly dates: readonly string[];
  readonly dateOf: Uint32Array<ArrayBuffer>;
  readonly delay: Int32Array<ArrayBuffer>;
  readonly distance: Int32Array<ArrayBuffer>;
  readonly airports: readonly string[];
  readonly originOf: Uint32Array<ArrayBuffer>;
  readonly destinationOf: Uint32Array<ArrayBuffer>;
}

export interface FlightsOptions {
  /** A Parquet file like that of vega-datasets, which is the default. */
  readonly file?: string | undefined;
  /** Only the rows before this one. Default: all three million. */
  readonly limit?: number | undefined;
  /** How many row groups the thread decodes before they are needed: 1 to keep it busy, 0 to let it wait. Default 1. */
  readonly readAhead?: number | undefined;
}

type Answer = Positioned<Flight, number> | undefined;

/**
 * Three million US flights of the first half of 2001, in the order of time. A position is a row number, and a run that
 * resumes decodes nothing before the row group that its position is in.
 *
 *     thread:  decode ─► decode ─► …          one row group is asked for as soon as one is begun here
 *                 │ typed arrays
 *     here:     ready ─► current ─► flights   made as pull asks for them
 */
export class FlightsSource implements Source<Flight, number> {
  readonly name = 'flights';
  readonly #file: string | undefined;
  readonly #endRow: number;
  readonly #readAhead: number;
  #worker: Worker | undefined;
  #signal: AbortSignal | undefined;
  #current: RowGroup | undefined;
  #taken = 0;
  readonly #ready: RowGroup[] = [];
  #isAsked = false;
  #isEnded = false;
  #failure: Error | undefined;
  #waiting: { demand: number; resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;

  constructor({ file, limit, readAhead }: FlightsOptions = {}) {
    this.#file = file;
    this.#endRow = limit ?? Number.MAX_SAFE_INTEGER;
    this.#readAhead = readAhead ?? 1;
  }

  open({ positions, signal }: SourceContext<number>): void {
    const firstRow = positions.get('') ?? 0;
    const workerData: Assignment = { file: this.#file, firstRow, endRow: this.#endRow };
    const worker = new Worker(new URL('./flights-worker.mjs', import.meta.url), {
      workerData,
      // The thread is plain JavaScript: without the loaders of this process it starts in a few milliseconds.
      execArgv: [],
      // It has one row group at a time; told so, it collects what the last one has left behind.
      resourceLimits: { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 16 },
    });
    worker.on('message', (group: RowGroup | undefined) => this.#arrived(group));
    worker.on('error', (cause) => this.#failed(new Error('The flights could not be decoded.', { cause })));
    worker.on('exit', (code) =>
      this.#failed(new Error(`The thread that decodes flights ended with code ${code}.`)),
    );
    this.#worker = worker;
    this.#signal = signal;
    signal.addEventListener('abort', this.#end, { once: true });
    this.#ask();
  }

  pull(demand: number): Answer | Promise<Answer> {
    if (this.#hasRows()) return this.#take(demand);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isEnded) return undefined;
    this.#ask();
    return new Promise((resolve, reject) => {
      this.#waiting = { demand, resolve, reject };
    });
  }

  /** No more pulls will come: one that waits for the thread is answered with the end. */
  stop(): void {
    this.#end();
  }

  async close(): Promise<void> {
    this.#end();
    this.#signal?.removeEventListener('abort', this.#end);
    this.#ready.length = 0;
    this.#current = undefined;
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.removeAllListeners();
    await worker?.terminate();
  }

  /** Begins the next row group when the current one is used up, and has another one decoded meanwhile. */
  #hasRows(): boolean {
    if (this.#current !== undefined && this.#taken < this.#current.rows) return true;
    this.#current = this.#ready.shift();
    this.#taken = 0;
    if (this.#current === undefined) return false;
    if (this.#readAhead > 0) this.#ask();
    return true;
  }

  #take(demand: number): Positioned<Flight, number> {
    const { firstRow, rows, dates, dateOf, delay, distance, airports, originOf, destinationOf } = this
      .#current as RowGroup;
    const from = this.#taken;
    const to = Math.min(from + demand, rows);
    const items = new Array<Flight>(to - from);
    for (let index = from; index < to; index += 1) {
      items[index - from] = {
        row: firstRow + index,
        date: dates[dateOf[index] as number] as string,
        delay: delay[index] as number,
        distance: distance[index] as number,
        origin: airports[originOf[index] as number] as string,
        destination: airports[destinationOf[index] as number] as string,
      };
    }
    this.#taken = to;
    return { items, position: firstRow + to };
  }

  /** Asks the thread for one row group, if none is on its way and the read-ahead is not there yet. */
  #ask(): void {
    if (this.#isAsked || this.#isEnded || this.#ready.length >= Math.max(1, this.#readAhead)) return;
    this.#isAsked = true;
    this.#worker?.postMessage('next');
  }

  #arrived(group: RowGroup | undefined): void {
    this.#isAsked = false;
    if (group === undefined) return this.#end();
    this.#ready.push(group);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined && this.#hasRows()) waiting.resolve(this.#take(waiting.demand));
    else if (this.#readAhead > 0) this.#ask();
  }

  readonly #end = (): void => {
    this.#isEnded = true;
    this.#waiting?.resolve(undefined);
    this.#waiting = undefined;
  };

  #failed(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}
