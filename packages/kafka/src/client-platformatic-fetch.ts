/** Fetches what partitions hold, from each of their brokers one fetch at a time, and moves nowhere by itself. */

import { Deferred, onAbort, runtime } from '@streamweld/core/connector';
import type { ConsumerHandlers, ConsumerOptions, PartitionOffset, TopicPartition } from './client.ts';
import { toRecords } from './client-platformatic-batches.ts';
import type { Cluster } from './client-platformatic-cluster.ts';
import { BrokerRefusal, isElsewhere } from './client-platformatic-errors.ts';
import type { FetchedPartition, Requests } from './client-platformatic-shape.ts';
import type { Address } from './client-platformatic-wire.ts';
import { laneOf } from './position.ts';

/** How long a partition that cannot be fetched is tried before that ends the reading. */
const TROUBLE_MS = 10_000;

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 1000;

/** Each fetch is for itself: a session would be one more thing that a broker may have forgotten. */
const NO_SESSION = 0;
const FINAL_EPOCH = -1;

interface Reading extends TopicPartition {
  readonly lane: string;
  /** Of the next record; undefined until somebody says. */
  next: bigint | undefined;
  isPaused: boolean;
  /** Counts what was said of it: what is under way for what was said before is dropped. */
  turn: number;
  troubledSince: number | undefined;
  /** It is not fetched before then. */
  waitsUntil: number;
  waitMs: number;
}

export class Fetcher {
  readonly #cluster: Cluster;
  readonly #options: ConsumerOptions;
  readonly #onRecords: ConsumerHandlers['onRecords'];
  readonly #onFail: (error: unknown) => void;
  readonly #signal: AbortSignal;
  readonly #readings = new Map<string, Reading>();
  /** The brokers that are being fetched from. */
  readonly #busy = new Set<string>();
  #isPlanning = false;
  #isPlanDue = false;

  constructor(
    cluster: Cluster,
    options: ConsumerOptions,
    {
      onRecords,
      onFail,
      signal,
    }: {
      readonly onRecords: ConsumerHandlers['onRecords'];
      readonly onFail: (error: unknown) => void;
      readonly signal: AbortSignal;
    },
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.#onRecords = onRecords;
    this.#onFail = onFail;
    this.#signal = signal;
  }

  /** These and no others, and nothing of them before a `seek`. */
  assign(partitions: readonly TopicPartition[]): void {
    this.#readings.clear();
    for (const { topic, partition } of partitions) {
      const lane = laneOf({ topic, partition });
      this.#readings.set(lane, {
        topic,
        partition,
        lane,
        next: undefined,
        isPaused: false,
        turn: 0,
        troubledSince: undefined,
        waitsUntil: 0,
        waitMs: FIRST_WAIT_MS,
      });
    }
  }

  pause(partition: TopicPartition): void {
    const reading = this.#readings.get(laneOf(partition));
    if (reading !== undefined) reading.isPaused = true;
  }

  resume(partition: TopicPartition): void {
    const reading = this.#readings.get(laneOf(partition));
    if (reading === undefined) return;
    reading.isPaused = false;
    this.#plan();
  }

  seek(to: PartitionOffset): void {
    const reading = this.#readings.get(laneOf(to));
    if (reading === undefined) return;
    reading.next = BigInt(to.offset);
    reading.turn += 1;
    this.resume(to);
  }

  /** Begins with each broker that has something to fetch and is not busy. */
  #plan(): void {
    this.#isPlanDue = true;
    if (!this.#isPlanning) void this.#planAll();
  }

  async #planAll(): Promise<void> {
    this.#isPlanning = true;
    // What is said of several partitions in one go is planned in one go.
    await Promise.resolve();
    while (this.#isPlanDue && !this.#signal.aborted) {
      this.#isPlanDue = false;
      const due = [...this.#readings.values()].filter((each) => isDue(each));
      try {
        await this.#cluster.know(due.map(({ topic }) => topic));
      } catch (error) {
        for (const each of due) this.#trouble(each, error);
        continue;
      }
      for (const [key, { at, readings }] of this.#byLeader(due)) {
        if (!this.#busy.has(key)) void this.#fetch(key, at, readings);
      }
    }
    this.#isPlanning = false;
  }

  #byLeader(due: readonly Reading[]): Map<string, { readonly at: Address; readonly readings: Reading[] }> {
    const groups = new Map<string, { readonly at: Address; readonly readings: Reading[] }>();
    for (const reading of due) {
      if (!this.#isOurs(reading)) continue;
      try {
        const at = this.#cluster.leader(reading);
        const key = `${at.host}:${at.port}`;
        const known = groups.get(key);
        if (known === undefined) groups.set(key, { at, readings: [reading] });
        else known.readings.push(reading);
      } catch (error) {
        this.#trouble(reading, error);
      }
    }
    return groups;
  }

  async #fetch(key: string, at: Address, readings: readonly Reading[]): Promise<void> {
    this.#busy.add(key);
    const asked = readings
      .filter((each) => isDue(each))
      .map((reading) => ({ reading, turn: reading.turn, first: reading.next as bigint }));
    try {
      const answered = await this.#ask(at, asked);
      if (this.#signal.aborted) return;
      const taking: Promise<void>[] = [];
      for (const { reading, turn, first } of asked) {
        const found = answered.get(reading.lane);
        if (found === undefined || !this.#isOurs(reading) || reading.turn !== turn || reading.isPaused)
          continue;
        if (found.errorCode !== 0) {
          this.#trouble(reading, this.#cluster.refusal(found.errorCode));
          continue;
        }
        const taken = this.#take(reading, first, found);
        if (taken !== undefined) taking.push(taken);
      }
      await Promise.all(taking);
    } catch (error) {
      for (const { reading } of asked) if (this.#isOurs(reading)) this.#trouble(reading, error);
    } finally {
      this.#busy.delete(key);
      this.#plan();
    }
  }

  #take(reading: Reading, first: bigint, found: FetchedPartition): Promise<void> | undefined {
    const { topic, partition } = reading;
    const { records, next } = toRecords(reading, first, found);
    reading.troubledSince = undefined;
    reading.waitMs = FIRST_WAIT_MS;
    if (next === first) return undefined;
    reading.next = next;
    const taken = this.#onRecords({
      topic,
      partition,
      records,
      first: String(first),
      next: String(next),
      highWatermark: String(found.highWatermark),
    });
    return taken === undefined ? undefined : Promise.resolve(taken);
  }

  async #ask(
    at: Address,
    asked: readonly { readonly reading: Reading; readonly first: bigint }[],
  ): Promise<ReadonlyMap<string, FetchedPartition>> {
    const { maxWaitMs, maxBytes, maxPartitionBytes, readsUncommitted } = this.#options;
    const names = new Map<string, string>();
    for (const { reading } of asked) names.set(this.#cluster.topic(reading.topic).id, reading.topic);
    const topics = [...names].map(([topicId, name]) => ({
      topicId,
      partitions: asked
        .filter(({ reading }) => reading.topic === name)
        .map(({ reading, first }) => ({
          partition: reading.partition,
          currentLeaderEpoch: -1,
          fetchOffset: first,
          lastFetchedEpoch: -1,
          partitionMaxBytes: maxPartitionBytes,
        })),
    }));
    const { requestTimeoutMs } = this.#cluster.wire.options;
    let answer: Requests['fetchV13']['answer'];
    try {
      answer = await this.#cluster.wire.ask(
        at,
        'fetchV13',
        [maxWaitMs, 1, maxBytes, readsUncommitted ? 0 : 1, NO_SESSION, FINAL_EPOCH, topics, [], ''],
        { line: 'fetch', ms: maxWaitMs + requestTimeoutMs },
      );
    } catch (error) {
      // What is wrong with one partition says nothing of the others.
      if (!(error instanceof BrokerRefusal) || error.response === undefined) throw error;
      answer = error.response as Requests['fetchV13']['answer'];
      if (answer.errorCode !== 0) throw error;
    }
    const found = new Map<string, FetchedPartition>();
    for (const { topicId, partitions } of answer.responses) {
      const topic = names.get(topicId);
      if (topic === undefined) continue;
      for (const each of partitions) found.set(laneOf({ topic, partition: each.partitionIndex }), each);
    }
    return found;
  }

  /** It is tried again, as long as it may pass. */
  #trouble(reading: Reading, error: unknown): void {
    if (this.#signal.aborted || !this.#isOurs(reading)) return;
    const now = runtime.now();
    reading.troubledSince ??= now;
    if (!isElsewhere(error) || now - reading.troubledSince > TROUBLE_MS) {
      this.#onFail(error);
      return;
    }
    this.#cluster.doubt([reading.topic]);
    reading.waitsUntil = now + reading.waitMs;
    void this.#planIn(reading.waitMs);
    reading.waitMs = Math.min(2 * reading.waitMs, LONGEST_WAIT_MS);
  }

  async #planIn(ms: number): Promise<void> {
    const over = new Deferred();
    const timer = runtime.setTimer(over.resolve, ms + 1);
    const forget = onAbort(this.#signal, () => over.resolve());
    await over.promise;
    forget();
    runtime.clearTimer(timer);
    this.#plan();
  }

  /** Whether it is of the assignment that counts. */
  #isOurs(reading: Reading): boolean {
    return this.#readings.get(reading.lane) === reading;
  }
}

function isDue({ next, isPaused, waitsUntil }: Reading): boolean {
  return next !== undefined && !isPaused && runtime.now() >= waitsUntil;
}
