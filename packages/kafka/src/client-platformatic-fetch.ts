/** Fetches what partitions hold, from each of their brokers one fetch at a time, and moves nowhere by itself. */

import { Deferred, onAbort, runtime } from '@streamweld/core/connector';
import type { ConsumerHandlers, ConsumerOptions, PartitionOffset, TopicPartition } from './client.ts';
import { toRecords } from './client-platformatic-batches.ts';
import type { Cluster } from './client-platformatic-cluster.ts';
import { BrokerRefusal, isElsewhere, isGone } from './client-platformatic-errors.ts';
import { type FetchHost, Reading } from './client-platformatic-reading.ts';
import type { FetchedPartition, Requests } from './client-platformatic-requests.ts';
import type { Address } from './client-platformatic-wire.ts';
import { laneOf } from './position.ts';

/** How long a partition that cannot be fetched is tried before that ends the reading. */
const TROUBLE_MS = 10_000;

/** How long a topic that was read may be unknown before it counts as gone: its brokers tell each other of it. */
const GONE_MS = 1000;

/** Each fetch is for itself: a session would be one more thing that a broker may have forgotten. */
const NO_SESSION = 0;
const FINAL_EPOCH = -1;

interface Answered {
  readonly topicId: string;
  readonly partition: FetchedPartition;
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

  constructor(cluster: Cluster, options: ConsumerOptions, { onRecords, onFail, signal }: FetchHost) {
    this.#cluster = cluster;
    this.#options = options;
    this.#onRecords = onRecords;
    this.#onFail = onFail;
    this.#signal = signal;
  }

  /** These and no others, and nothing of them before a `seek`. */
  assign(partitions: readonly TopicPartition[]): void {
    this.#readings.clear();
    for (const partition of partitions) {
      const reading = new Reading(partition);
      this.#readings.set(reading.lane, reading);
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
      const due = [...this.#readings.values()].filter(({ isDue }) => isDue);
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
        const at = this.#leader(reading);
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

  /** @throws BrokerRefusal where it has none, or its topic is another one than it was */
  #leader(reading: Reading): Address {
    const leader = this.#cluster.leader(reading);
    const { topic, topicId } = reading;
    if (topicId === undefined || topicId === this.#cluster.topic(topic).id) return leader;
    const error = new BrokerRefusal('UNKNOWN_TOPIC_OR_PARTITION', false);
    this.#onFail(error);
    throw error;
  }

  async #fetch(key: string, at: Address, readings: readonly Reading[]): Promise<void> {
    this.#busy.add(key);
    const asked = readings
      .filter(({ isDue }) => isDue)
      .map((reading) => ({ reading, turn: reading.turn, first: reading.next as bigint }));
    try {
      const answered = await this.#ask(at, asked);
      if (this.#signal.aborted) return;
      const taking: Promise<void>[] = [];
      for (const { reading, turn, first } of asked) {
        const found = answered.get(reading.lane);
        if (found === undefined || !this.#isOurs(reading) || reading.turn !== turn || reading.isPaused)
          continue;
        const { topicId, partition } = found;
        if (partition.errorCode !== 0) {
          this.#trouble(reading, this.#cluster.refusal(partition.errorCode));
          continue;
        }
        reading.calm(topicId);
        const taken = this.#take(reading, first, partition);
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
    if (next === first) return undefined;
    reading.next = next;
    // A broker fills its answer in the order of the question: who has got something comes last.
    this.#readings.delete(reading.lane);
    this.#readings.set(reading.lane, reading);
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
  ): Promise<ReadonlyMap<string, Answered>> {
    const { maxWaitMs, maxBytes, maxPartitionBytes, readsUncommitted } = this.#options;
    const names = new Map<string, string>();
    for (const { reading } of asked) names.set(this.#cluster.topic(reading.topic).id, reading.topic);
    const topics = [...names].map(([topicId, name]) => ({
      topicId,
      partitions: asked
        .filter(({ reading }) => reading.topic === name)
        .map(({ reading: { partition }, first: fetchOffset }) => ({
          ...{ partition, fetchOffset, partitionMaxBytes: maxPartitionBytes },
          // Nothing is known of the epochs of its leaders.
          ...{ currentLeaderEpoch: -1, lastFetchedEpoch: -1 },
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
    const found = new Map<string, Answered>();
    for (const { topicId, partitions } of answer.responses) {
      const topic = names.get(topicId);
      if (topic === undefined) continue;
      for (const partition of partitions)
        found.set(laneOf({ topic, partition: partition.partitionIndex }), { topicId, partition });
    }
    return found;
  }

  /** It is tried again, as long as it may pass. */
  #trouble(reading: Reading, error: unknown): void {
    if (this.#signal.aborted || !this.#isOurs(reading)) return;
    const { topic, topicId, troubledMs } = reading;
    if (!isElsewhere(error) || troubledMs > (topicId !== undefined && isGone(error) ? GONE_MS : TROUBLE_MS)) {
      this.#onFail(error);
      return;
    }
    this.#cluster.doubt([topic]);
    void this.#planIn(reading.wait());
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
