/** Asking brokers with `@platformatic/kafka`, as what `client.ts` asks for. */

import type { KafkaAdmin, PartitionOffset, Watermarks } from './client.ts';
import { attempt, Patience } from './patience.ts';
import type { Cluster } from './client-platformatic-cluster.ts';
import { isElsewhere } from './client-platformatic-errors.ts';
import type { Address } from './client-platformatic-wire.ts';

/** A topic that was just made is not known to every broker at once. */
const TOPIC_MS = 3000;

/** What an offset is looked up by, where it is no time. */
const LATEST = -1n;
const EARLIEST = -2n;

/** What is beyond the end of what is committed is nobody's yet. */
const READ_COMMITTED = 1;

export class PlatformaticAdmin implements KafkaAdmin {
  readonly #cluster: Cluster;
  readonly #given = new AbortController();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async connect(): Promise<void> {
    const { connectTimeoutMs } = this.#cluster.wire.options;
    await this.#ask('connect to Kafka', undefined, () => this.#cluster.look([]), connectTimeoutMs);
  }

  topics(): Promise<readonly string[]> {
    return this.#ask('list the topics', undefined, () => this.#cluster.look(null));
  }

  partitions(topic: string): Promise<number> {
    return this.#ask('look a topic up', topic, async () => (await this.#partitions(topic)).length, TOPIC_MS);
  }

  watermarks(topic: string): Promise<readonly Watermarks[]> {
    return this.#ask('look up where a topic begins and ends', topic, async () => {
      const partitions = await this.#partitions(topic);
      const [lows, highs] = await Promise.all([
        this.#offsets(topic, partitions, EARLIEST),
        this.#offsets(topic, partitions, LATEST),
      ]);
      return partitions.map((partition) => ({
        partition,
        low: String(lows.get(partition)),
        high: String(highs.get(partition)),
      }));
    });
  }

  offsetsAt(topic: string, timestampMs: number): Promise<readonly PartitionOffset[]> {
    return this.#ask('look up the offsets of a time', topic, async () => {
      const partitions = await this.#partitions(topic);
      const [found, ends] = await Promise.all([
        this.#offsets(topic, partitions, BigInt(Math.ceil(timestampMs))),
        this.#offsets(topic, partitions, LATEST),
      ]);
      return partitions.map((partition) => {
        const offset = found.get(partition) as bigint;
        return { topic, partition, offset: String(offset < 0n ? ends.get(partition) : offset) };
      });
    });
  }

  committed(groupId: string, topic: string): Promise<ReadonlyMap<number, string>> {
    return this.#ask("look up a group's offsets", topic, async () => {
      const partitions = await this.#partitions(topic);
      const coordinator = await this.#cluster.coordinator('group', groupId);
      const answer = await this.#elsewhere(
        () => this.#cluster.forgetCoordinator('group', groupId),
        this.#cluster.wire.ask(coordinator, 'offsetFetchV8', [
          // What a transaction is about to commit is not committed, and is not waited for either.
          [{ groupId, memberEpoch: -1, topics: [{ name: topic, partitionIndexes: partitions }] }],
          false,
        ]),
      );
      const found = answer.groups[0]?.topics.find(({ name }) => name === topic)?.partitions ?? [];
      return new Map(
        found
          .filter(({ committedOffset }) => committedOffset >= 0n)
          .map(({ partitionIndex, committedOffset }) => [partitionIndex, String(committedOffset)]),
      );
    });
  }

  close(): Promise<void> {
    this.#given.abort(new Error('Not connected: the client was given up.'));
    this.#cluster.wire.cut();
    return Promise.resolve();
  }

  async #partitions(topic: string): Promise<readonly number[]> {
    await this.#cluster.look([topic]);
    return [...this.#cluster.topic(topic).leaders.keys()].sort((a, b) => a - b);
  }

  async #offsets(
    topic: string,
    partitions: readonly number[],
    timestamp: bigint,
  ): Promise<ReadonlyMap<number, bigint>> {
    const byLeader = new Map<Address, number[]>();
    for (const partition of partitions) {
      const leader = this.#cluster.leader({ topic, partition });
      const known = byLeader.get(leader);
      if (known === undefined) byLeader.set(leader, [partition]);
      else known.push(partition);
    }
    const answers = await Promise.all(
      [...byLeader].map(([leader, own]) =>
        this.#cluster.wire.ask(leader, 'listOffsetsV6', [
          -1,
          READ_COMMITTED,
          [
            {
              name: topic,
              partitions: own.map((partitionIndex) => ({
                partitionIndex,
                currentLeaderEpoch: -1,
                timestamp,
              })),
            },
          ],
        ]),
      ),
    );
    return new Map(
      answers.flatMap(({ topics }) =>
        topics.flatMap(({ partitions: found }) =>
          found.map(({ partitionIndex, offset }): [number, bigint] => [partitionIndex, offset]),
        ),
      ),
    );
  }

  async #elsewhere<R>(forget: () => void, asked: Promise<R>): Promise<R> {
    try {
      return await asked;
    } catch (error) {
      if (isElsewhere(error)) forget();
      throw error;
    }
  }

  #ask<R>(action: string, topic: string | undefined, ask: () => Promise<R>, ms?: number): Promise<R> {
    const { name, requestTimeoutMs } = this.#cluster.wire.options;
    const patience = new Patience(ms ?? requestTimeoutMs, this.#given.signal);
    return attempt(patience, { action, stage: name, topic }, ask);
  }
}
