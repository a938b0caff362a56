/**
 * Exactly once from Kafka to Kafka: what is written, and how far the reader has come with it, in one transaction.
 *
 *     source batch of orders/3 ──► [ begin · records · offset of orders/3 for the group · commit ]
 *                                    └ by the producer `<prefix>/orders/3`, which nobody else may be meanwhile
 *
 * Each partition that is read has a producer named for it: whoever is given the partition makes the brokers fence the one
 * before, and abort what it had not committed. kafkajs cannot tell the group's generation to a transaction, so that name is
 * all the fencing there is; that is why a write is of one partition.
 *
 * A transaction that failed is over, and its producer is stuck: another one with the same name begins, which first looks at
 * the group's offset. Beyond where this writer stood it is either a commit of its own whose answer was lost, or the work of
 * another.
 */

import { isStreamWeldError, onAbort, runtime, StreamWeldError } from '@streamweld/core/connector';
import type { KafkaAdmin, KafkaClient, KafkaProducer, KafkaTransaction, TopicPartition } from './client.ts';
import { Patience } from './patience.ts';
import { DeadlinePassed, within } from './deadline.ts';
import { isTransient, KafkaError } from './errors.ts';
import { isKafkaPosition, type KafkaPosition, laneOf, parseLane } from './position.ts';
import type { Sent } from './sink-send.ts';
import type { Writer } from './sink-writer.ts';

/** Beyond what a client gives itself, in milliseconds: it may hang. */
const GRACE_MS = 5000;

export interface TransactionsOptions {
  readonly client: KafkaClient;
  readonly name: string;
  readonly prefix: string;
  readonly requestTimeoutMs: number;
  readonly deliveryTimeoutMs: number;
  readonly transactionTimeoutMs: number;
  readonly createWriter: (transactionalId: string) => Writer;
  /** Aborts when the sink is closed: nothing is begun then. */
  readonly life: AbortSignal;
}

/** One partition that is read. */
interface Lane {
  readonly place: TopicPartition;
  readonly writer: Writer;
  /** The producer that has looked at the group's offset. */
  checked: KafkaProducer | undefined;
  /** Where its reader began, when it was last given the partition. */
  since: string | undefined;
  /** How far this writer has committed, or where it began. */
  at: bigint | undefined;
  /** Up to there it may be committed: nobody knows. */
  inDoubt: bigint | undefined;
}

/** What a transaction writes. */
type Body = (transaction: KafkaTransaction) => Promise<Sent | undefined>;

export class Transactions {
  readonly #options: TransactionsOptions;
  readonly #lanes = new Map<string, Lane>();

  constructor(options: TransactionsOptions) {
    this.#options = options;
  }

  /** The lane and the position of a write. @throws StreamWeldError SW_EXACTLY_ONCE_IMPOSSIBLE */
  placeOf(positions: ReadonlyMap<string, unknown> | undefined): readonly [TopicPartition, KafkaPosition] {
    const found = [...(positions ?? [])];
    const [[label, position] = ['', undefined]] = found;
    const place = parseLane(label);
    if (place === undefined || !isKafkaPosition(position)) {
      throw this.#impossible(
        'what is written does not come with a position of a KafkaSource. Leave transactionalId out',
      );
    }
    if (found.length > 1) {
      throw this.#impossible(
        'a write holds what was read from several partitions, and only the producer of each may commit its offset. Leave out what joins them, as batch() or a dispatcher',
      );
    }
    if (position.groupId === null) {
      throw this.#impossible(
        "its KafkaSource commits the offsets by itself. Give the source commitBy: 'sink', and they are committed in the transaction",
      );
    }
    return [place, position];
  }

  /** Tries until it is committed, or is not to be. @returns what the body told of items that cannot be written */
  async run(
    place: TopicPartition,
    position: KafkaPosition,
    body: Body,
    signal: AbortSignal,
  ): Promise<Sent | undefined> {
    const lane = this.#laneOf(place, position);
    const patience = new Patience(this.#options.deliveryTimeoutMs, signal);
    for (;;) {
      try {
        return await this.#attempt(lane, position, body, signal);
      } catch (error) {
        lane.writer.discard();
        if (signal.aborted || !isTransient(error) || !(await patience.wait())) throw error;
        this.#options.life.throwIfAborted();
      }
    }
  }

  #laneOf(place: TopicPartition, { since }: KafkaPosition): Lane {
    const label = laneOf(place);
    let lane = this.#lanes.get(label);
    if (lane === undefined) {
      const writer = this.#options.createWriter(`${this.#options.prefix}/${label}`);
      lane = { place, writer, checked: undefined, since: undefined, at: undefined, inDoubt: undefined };
      this.#lanes.set(label, lane);
    }
    if (since !== lane.since) {
      // It was given away, and came back: another may have been the producer in between.
      if (lane.checked !== undefined) lane.writer.discard();
      lane.since = since;
      lane.at = since === undefined ? undefined : BigInt(since);
      lane.inDoubt = undefined;
    }
    return lane;
  }

  async #attempt(
    lane: Lane,
    position: KafkaPosition,
    body: Body,
    signal: AbortSignal,
  ): Promise<Sent | undefined> {
    const { place, writer } = lane;
    const end = BigInt(position.offset);
    const groupId = position.groupId as string;
    const producer = await writer.ready(signal);
    const forget = onAbort(signal, () => writer.discard());
    const begun = runtime.now();
    try {
      let transaction: KafkaTransaction;
      if (producer === lane.checked) {
        transaction = await this.#soon(producer.begin());
      } else {
        const found = await this.#take(lane, producer, groupId, end, signal);
        transaction = found.transaction;
        lane.checked = producer;
        if (found.isCommitted) {
          await this.#soon(transaction.abort());
          this.#passed(lane, end);
          return undefined;
        }
        lane.inDoubt = undefined;
      }
      const sent = await body(transaction);
      if (sent?.failure !== undefined) throw sent.failure;
      if (sent !== undefined && sent.bad.size > 0) {
        await this.#soon(transaction.abort());
        return sent;
      }
      await this.#soon(transaction.sendOffsets(groupId, [{ ...place, offset: position.offset }]));
      if (signal.aborted) throw signal.reason;
      lane.inDoubt = end;
      await this.#soon(transaction.commit());
      this.#passed(lane, end);
      return sent;
    } catch (error) {
      throw this.#judge(error, runtime.now() - begun);
    } finally {
      forget();
    }
  }

  /** Begins with a new producer: whoever was there before is fenced, and what it had not committed is aborted. */
  async #take(
    lane: Lane,
    producer: KafkaProducer,
    groupId: string,
    end: bigint,
    signal: AbortSignal,
  ): Promise<{ readonly transaction: KafkaTransaction; readonly isCommitted: boolean }> {
    const { topic, partition } = lane.place;
    const admin = this.#options.client.createAdmin();
    const forget = [signal, this.#options.life].map((each) => onAbort(each, () => void admin.close()));
    const isCommitted = async (): Promise<boolean> => {
      const offset = (await this.#soon(this.#committed(admin, groupId, topic))).get(partition);
      if (offset === undefined) return false;
      if (lane.inDoubt === end && BigInt(offset) === end) return true;
      if (lane.at === undefined || BigInt(offset) <= lane.at) return false;
      throw this.#overtaken(lane.place);
    };
    try {
      await this.#soon(admin.connect());
      // Before as well: who has been overtaken is not to fence the one that is right.
      await isCommitted();
      const transaction = await this.#soon(producer.begin());
      return { transaction, isCommitted: await isCommitted() };
    } finally {
      for (const each of forget) each();
      await admin.close();
    }
  }

  /** It was read from a moment ago: where it is not there, this is another cluster. */
  async #committed(admin: KafkaAdmin, groupId: string, topic: string): Promise<ReadonlyMap<number, string>> {
    try {
      return await admin.committed(groupId, topic);
    } catch (error) {
      if (!isStreamWeldError(error) || error.code !== 'SW_KAFKA_TOPIC_UNKNOWN') throw error;
      throw this.#impossible(
        `the topic ${JSON.stringify(topic)}, which is read, is not there where it writes, and no transaction goes across clusters. Read and write in one cluster, or leave transactionalId out`,
      );
    }
  }

  #passed(lane: Lane, end: bigint): void {
    lane.at = end;
    lane.inDoubt = undefined;
  }

  /** The brokers fence whoever takes too long as they fence a twin: another transaction finds out which it was. */
  #judge(error: unknown, ms: number): unknown {
    const { name, transactionTimeoutMs } = this.#options;
    if (error instanceof DeadlinePassed) {
      return new KafkaError(
        'SW_KAFKA_TIMEOUT',
        `The client of '${name}' did not end within ${error.ms} ms what it was asked for in a transaction, and was given up.`,
        { stage: name, isTransient: true },
      );
    }
    if (!isStreamWeldError(error) || error.code !== 'SW_CHECKPOINT_FENCED' || ms < transactionTimeoutMs)
      return error;
    return new KafkaError(
      'SW_KAFKA_TRANSACTION_FAILED',
      `A transaction of '${name}' took longer than its transactionTimeoutMs of ${transactionTimeoutMs}, and the brokers aborted it. It is begun again.`,
      { stage: name, isTransient: true },
    );
  }

  #soon<T>(promise: Promise<T>): Promise<T> {
    return within(this.#options.requestTimeoutMs + GRACE_MS, promise, this.#options.life);
  }

  #overtaken({ topic, partition }: TopicPartition): StreamWeldError {
    const { name } = this.#options;
    return new StreamWeldError(
      'SW_CHECKPOINT_FENCED',
      `Another has written what follows in partition ${partition} of topic ${JSON.stringify(topic)} since '${name}' did: the group's offset is beyond where it stood. This run has written nothing of it. End one of the two.`,
      { stage: name },
    );
  }

  #impossible(why: string): StreamWeldError {
    const { name } = this.#options;
    return new StreamWeldError('SW_EXACTLY_ONCE_IMPOSSIBLE', `'${name}' cannot write exactly once: ${why}.`, {
      stage: name,
    });
  }
}
