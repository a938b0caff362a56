/** What a sink knows of its topics: how many partitions each has, and where its next record without a key goes. */

import { isStreamWeldError, onAbort, runtime, type StreamWeldError } from '@streamweld/core/connector';
import type { KafkaClient } from './client.ts';

/** A topic may gain partitions: it is looked up again after so long, in milliseconds. */
const MAX_AGE_MS = 300_000;

/** One that is not there is not asked for again before so long, in milliseconds: each question takes a while. */
const MISSING_MS = 5000;

/** So much goes to one partition before it is the next one's turn, as in Java's client: large batches cost less than many small ones. */
const STICKY_BYTES = 16 << 10;

export class Topic {
  partitions: number;
  lookedUpAt: number;
  /** The most bytes of a batch: less than the sink's own, once the broker has refused one. */
  maxBatchBytes: number;
  #next = runtime.random();
  #stuck = 0;

  constructor(partitions: number, maxBatchBytes: number) {
    this.partitions = partitions;
    this.maxBatchBytes = maxBatchBytes;
    this.lookedUpAt = runtime.now();
    this.#next = Math.floor(this.#next * partitions);
  }

  /** For a record without a key. */
  nextPartition(bytes: number): number {
    if (this.#stuck + bytes > STICKY_BYTES) {
      this.#next += 1;
      this.#stuck = 0;
    }
    this.#stuck += bytes;
    this.#next %= this.partitions;
    return this.#next;
  }
}

export class Topics {
  readonly #client: KafkaClient;
  readonly #maxBatchBytes: number;
  readonly #life: AbortSignal;
  readonly #known = new Map<string, Topic>();
  /** Those that are not there, as was found not long ago. */
  readonly #missing = new Map<string, { readonly error: StreamWeldError; readonly until: number }>();

  /** @param life aborts when the sink is closed: nothing is begun then. */
  constructor(client: KafkaClient, maxBatchBytes: number, life: AbortSignal) {
    this.#client = client;
    this.#maxBatchBytes = maxBatchBytes;
    this.#life = life;
  }

  get(name: string): Topic | undefined {
    return this.#known.get(name);
  }

  /**
   * Looks up those that are not known, or were long ago.
   * @returns the errors of those that are not there, by name
   * @throws StreamWeldError where the brokers cannot be asked
   */
  async learn(names: Iterable<string>, signal: AbortSignal): Promise<ReadonlyMap<string, StreamWeldError>> {
    const unknown = new Map<string, StreamWeldError>();
    const due = [...new Set(names)].filter((name) => {
      const error = this.#missingError(name);
      if (error !== undefined) unknown.set(name, error);
      return error === undefined && this.#isDue(name);
    });
    if (due.length === 0) return unknown;
    this.#life.throwIfAborted();
    const admin = this.#client.createAdmin();
    const forget = [signal, this.#life].map((each) => onAbort(each, () => void admin.close()));
    try {
      await admin.connect();
      // At once: one that is not there is asked for again and again for some seconds.
      await Promise.all(
        due.map(async (name) => {
          try {
            this.#note(name, await admin.partitions(name));
          } catch (error) {
            // Of one that is known already, what is known goes on to be true for a while.
            if (this.#known.has(name)) {
              this.#note(name, undefined);
              return;
            }
            if (!isStreamWeldError(error) || error.code !== 'SW_KAFKA_TOPIC_UNKNOWN') throw error;
            unknown.set(name, error);
            this.#missing.set(name, { error, until: runtime.now() + MISSING_MS });
          }
        }),
      );
      return unknown;
    } finally {
      for (const each of forget) each();
      await admin.close();
    }
  }

  #missingError(name: string): StreamWeldError | undefined {
    const missing = this.#missing.get(name);
    if (missing === undefined || missing.until > runtime.now()) return missing?.error;
    this.#missing.delete(name);
    return undefined;
  }

  #isDue(name: string): boolean {
    const known = this.#known.get(name);
    return known === undefined || runtime.now() - known.lookedUpAt > MAX_AGE_MS;
  }

  #note(name: string, partitions: number | undefined): void {
    const known = this.#known.get(name);
    if (known === undefined) {
      this.#known.set(name, new Topic(partitions ?? 1, this.#maxBatchBytes));
      return;
    }
    known.partitions = partitions ?? known.partitions;
    known.lookedUpAt = runtime.now();
  }
}
