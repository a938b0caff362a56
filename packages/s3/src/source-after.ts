/** What becomes of objects when all of them is durable: they are deleted, tagged, or told. */

import type { S3Store } from './client.ts';
import { patiently } from './patience.ts';
import { comparePositions, type S3Position } from './position.ts';
import type { AfterObject, CheckedSourceOptions } from './source-options.ts';

/** How many requests are under way at a time. */
const AT_A_TIME = 8;
/** How many objects are seen to before they are forgotten; those that are deleted are one request. */
const TOGETHER = 256;

interface Ended {
  readonly lane: string;
  readonly position: S3Position;
}

/** Once a position is committed that lies behind an object, all of it is durable. Again and again does no harm. */
export class AfterObjects {
  readonly #store: S3Store;
  readonly #options: CheckedSourceOptions;
  readonly #after: AfterObject;
  readonly #signal: AbortSignal;
  /** Handed out to their end, and not seen to. */
  #ended: Ended[] = [];

  constructor(store: S3Store, options: CheckedSourceOptions, after: AfterObject, signal: AbortSignal) {
    this.#store = store;
    this.#options = options;
    this.#after = after;
    this.#signal = signal;
  }

  /** The end of an object was handed out. */
  ended(lane: string, position: S3Position): void {
    this.#ended.push({ lane, position });
  }

  /** What fails stays to be seen to: a commit is tried again. */
  async commit(positions: ReadonlyMap<string, S3Position>): Promise<void> {
    const due: Ended[] = [];
    const rest: Ended[] = [];
    for (const each of this.#ended) {
      const committed = positions.get(each.lane);
      const isDue = committed !== undefined && comparePositions(each.position, committed) <= 0;
      (isDue ? due : rest).push(each);
    }
    // More may end meanwhile.
    this.#ended = rest;
    let seen = 0;
    try {
      for (; seen < due.length; seen += TOGETHER)
        await this.#see(due.slice(seen, seen + TOGETHER).map(({ position }) => position));
    } finally {
      if (seen < due.length) this.#ended = [...due.slice(seen), ...this.#ended];
    }
  }

  async #see(positions: readonly S3Position[]): Promise<void> {
    const after = this.#after;
    const { bucket } = this.#options;
    if (typeof after === 'function') {
      await all(positions, async ({ key, etag }) => after({ bucket, key, etag }));
      return;
    }
    // What has come under the same key since was not read.
    const same: string[] = [];
    await all(positions, async ({ key, etag }) => {
      const facts = await this.#try(() => this.#store.head({ bucket, key }, this.#signal));
      if (facts?.etag === etag) same.push(key);
    });
    if (same.length === 0) return;
    if (after === 'delete') await this.#try(() => this.#store.delete(bucket, same, this.#signal));
    else
      await all(same, (key) => this.#try(() => this.#store.tag({ bucket, key }, after.tags, this.#signal)));
  }

  #try<R>(attempt: () => Promise<R>): Promise<R> {
    return patiently(this.#options.retryMs, this.#signal, attempt);
  }
}

/** A few at a time. Waits for those that are under way, and fails with the first that failed. */
async function all<T>(values: readonly T[], each: (value: T) => Promise<void>): Promise<void> {
  const left = values.values();
  const work = async (): Promise<void> => {
    for (const value of left) await each(value);
  };
  for (const outcome of await Promise.allSettled(Array.from({ length: AT_A_TIME }, work)))
    if (outcome.status === 'rejected') throw outcome.reason;
}
