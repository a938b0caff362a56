/** KafkaSink: items as records of topics. */

import {
  isStreamWeldError,
  type Sink,
  type SinkContext,
  type WriteContext,
} from '@streamweld/core/connector';
import type { KafkaClient } from './client.ts';
import { openClient } from './client-kafkajs.ts';
import { isRefusal, isTransient, KafkaPartError, namingFailed } from './errors.ts';
import { type CheckedSinkOptions, checkSinkOptions, type KafkaSinkOptions } from './sink-options.ts';
import { Pace } from './sink-pace.ts';
import { makePlan, namesOf } from './sink-plan.ts';
import { Records } from './sink-records.ts';
import { Remainders } from './sink-remainders.ts';
import { type Sent, sendPlan } from './sink-send.ts';
import { Topics } from './sink-topics.ts';
import { Writer } from './sink-writer.ts';

/**
 * Writes items as records. A write returns when all its records are acknowledged.
 *
 *     new KafkaSink({ brokers: 'localhost:9092', topic: 'orders', key: (order) => order.id })
 *     new KafkaSink({ brokers, topic: (event) => `events-${event.kind}`, compression: 'gzip' })
 *     new KafkaSink({ client: new Kafka({ brokers }), topic: 'orders', value: (order) => encode(order) })
 */
export class KafkaSink<T = unknown> implements Sink<T> {
  readonly name: string;
  readonly concurrency: number;
  readonly batching: { readonly maxItems: number; readonly lingerMs: number };
  readonly #options: CheckedSinkOptions<T>;
  readonly #client: KafkaClient;
  readonly #records: Records<T>;
  readonly #topics: Topics;
  readonly #pace: Pace;
  readonly #writers = new Set<Writer>();
  readonly #free: Writer[] = [];
  readonly #remainders: Remainders<T>;
  #context: SinkContext | undefined;

  constructor(options: KafkaSinkOptions<T>) {
    this.#options = checkSinkOptions(options);
    const { reach, writers, maxItems, lingerMs, maxBatchBytes } = this.#options;
    this.name = reach.name;
    this.concurrency = writers;
    this.batching = { maxItems, lingerMs };
    this.#client = openClient(reach);
    this.#records = new Records(this.#options);
    this.#topics = new Topics(this.#client, maxBatchBytes);
    this.#pace = new Pace(reach.requestTimeoutMs);
    this.#remainders = new Remainders(writers);
  }

  async open(context: SinkContext): Promise<void> {
    this.#context = context;
    const { signal } = context;
    const { topic } = this.#options;
    try {
      if (typeof topic === 'string') {
        for (const error of (await this.#topics.learn([topic], signal)).values()) throw error;
      }
      const writer = this.#takeWriter();
      await writer.ready(signal);
      this.#free.push(writer);
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  }

  async write(batch: readonly T[], { signal, attempt }: WriteContext): Promise<void> {
    // Of a write that named what is bad, or failed in the middle, the rest comes again: some of it is written.
    const before = attempt === 1 ? undefined : this.#remainders.take(batch);
    if (before !== undefined && before.size === batch.length) return;
    try {
      const unknown = await this.#topics.learn(namesOf(batch, this.#options), signal);
      const isWanted = (index: number): boolean => before?.has(index) !== true;
      const plan = makePlan(batch, isWanted, this.#options, this.#records, this.#topics, unknown);
      const writer = this.#takeWriter();
      let sent: Sent;
      try {
        sent = await sendPlan(
          { send: (batches) => writer.send(batches, signal) },
          plan,
          this.#topics,
          this.#pace,
        );
      } finally {
        this.#free.push(writer);
      }
      for (const index of before ?? []) sent.done.add(index);
      this.#settle(batch, sent);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      // Not of the items, and the same again cannot succeed: the run has to know.
      if (isStreamWeldError(error) && !isRefusal(error) && !isTransient(error)) this.#context?.fail(error);
      throw error;
    }
  }

  async close(reason?: unknown): Promise<void> {
    if (reason !== undefined) for (const writer of this.#writers) writer.abandon();
    await Promise.all([...this.#writers].map((writer) => writer.close()));
  }

  /** @throws where not all of it is written */
  #settle(batch: readonly T[], { done, bad, failure }: Sent): void {
    if (failure !== undefined) {
      if (done.size === 0) throw failure;
      const failed = batch.map((_, index) => index).filter((index) => !done.has(index));
      this.#remainders.keepFrom(batch, failed[0] as number, done);
      throw new KafkaPartError(failure, failed);
    }
    const [first] = bad;
    if (first === undefined) return;
    const [, error] = first;
    const failed = [...bad].filter(([, { code }]) => code === error.code).map(([index]) => index);
    this.#remainders.keepWithout(batch, new Set(failed), done);
    throw namingFailed(error, failed);
  }

  #takeWriter(): Writer {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const { reach, deliveryTimeoutMs, isIdempotent, acks, compression, transactionTimeoutMs } = this.#options;
    const writer = new Writer({
      name: reach.name,
      connectTimeoutMs: reach.connectTimeoutMs,
      deliveryTimeoutMs,
      create: () =>
        this.#client.createProducer({
          isIdempotent,
          transactionalId: undefined,
          transactionTimeoutMs,
          acks,
          compression,
          deliveryTimeoutMs,
        }),
    });
    this.#writers.add(writer);
    return writer;
  }
}
