/** An admin client of kafkajs, as what `client.ts` asks for. */

import type { Admin, Kafka } from 'kafkajs';
import type { KafkaAdmin, PartitionOffset, Watermarks } from './client.ts';
import { disconnect, endingWith } from './client-kafkajs-ending.ts';
import { attempt, Patience } from './patience.ts';
import type { CheckedReach } from './options.ts';
import type { Sockets } from './sockets.ts';

/** A topic that was just made is not known to every broker at once. */
const TOPIC_MS = 3000;

export class KafkajsAdmin implements KafkaAdmin {
  readonly #admin: Admin;
  readonly #sockets: Sockets;
  readonly #reach: CheckedReach;
  readonly #given = new AbortController();

  constructor(kafka: Kafka, sockets: Sockets, reach: CheckedReach) {
    this.#admin = kafka.admin({ retry: { retries: 2, initialRetryTime: 50, maxRetryTime: 500 } });
    this.#sockets = sockets;
    this.#reach = reach;
  }

  connect(): Promise<void> {
    return this.#ask(
      'connect to Kafka',
      undefined,
      () => this.#admin.connect(),
      this.#reach.connectTimeoutMs,
    );
  }

  topics(): Promise<readonly string[]> {
    // A broker that wants a user lets anybody connect, and ends the connection when it is asked something.
    return this.#ask(
      'list the topics',
      undefined,
      () => this.#admin.listTopics(),
      this.#reach.connectTimeoutMs,
    );
  }

  partitions(topic: string): Promise<number> {
    return this.#ask(
      'look a topic up',
      topic,
      async () => {
        const { topics } = await this.#admin.fetchTopicMetadata({ topics: [topic] });
        return topics.find(({ name }) => name === topic)?.partitions.length ?? 0;
      },
      TOPIC_MS,
    );
  }

  watermarks(topic: string): Promise<readonly Watermarks[]> {
    return this.#ask('look up where a topic begins and ends', topic, async () =>
      (await this.#admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => ({
        partition,
        low,
        high,
      })),
    );
  }

  offsetsAt(topic: string, timestampMs: number): Promise<readonly PartitionOffset[]> {
    return this.#ask('look up the offsets of a time', topic, async () =>
      (await this.#admin.fetchTopicOffsetsByTimestamp(topic, timestampMs)).map(({ partition, offset }) => ({
        topic,
        partition,
        offset,
      })),
    );
  }

  committed(groupId: string, topic: string): Promise<ReadonlyMap<number, string>> {
    return this.#ask("look up a group's offsets", topic, async () => {
      // Of this it learns which brokers there are. Else it finds nobody for the group, waits, and tries again.
      await this.#admin.fetchTopicOffsets(topic);
      const found = await this.#admin.fetchOffsets({ groupId, topics: [topic] });
      const partitions = found.find((each) => each.topic === topic)?.partitions ?? [];
      return new Map(
        partitions
          .filter(({ offset }) => !offset.startsWith('-'))
          .map(({ partition, offset }) => [partition, offset]),
      );
    });
  }

  async close(): Promise<void> {
    this.#given.abort(new Error('Not connected: the client was given up.'));
    // First: it would wait for answers that nobody wants any more.
    this.#sockets.cut();
    await disconnect(this.#admin);
  }

  #ask<T>(
    action: string,
    topic: string | undefined,
    ask: () => Promise<T>,
    ms: number = this.#reach.requestTimeoutMs,
  ): Promise<T> {
    const { signal } = this.#given;
    return attempt(new Patience(ms, signal), { action, stage: this.#reach.name, topic }, () =>
      endingWith(this.#admin, signal, ask()),
    );
  }
}
