/** KafkaSink: items as records of topics. */

import {
  isStreamWeldError,
  type Sink,
  type SinkContext,
  StreamWeldError,
  type WriteContext,
} from '@streamweld/core/connector';
import type { KafkaClient, OutgoingBatch } from './client.ts';
import { openClient } from './client-kafkajs.ts';
import { isRefusal, isTransient, KafkaError, KafkaPartError, namingFailed } from './errors.ts';
import { type CheckedSinkOptions, checkSinkOptions, type KafkaSinkOptions } from './sink-options.ts';
import { Pace } from './sink-pace.ts';
import { makePlan, namesOf, type Plan } from './sink-plan.ts';
import { Records } from './sink-records.ts';
import { Remainders } from './sink-remainders.ts';
import { type Sent, sendPlan } from './sink-send.ts';
import { Topics } from './sink-topics.ts';
import { Transactions } from './sink-transactions.ts';
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
  /** With a `transactionalId`, as the two that follow. */
  readonly atomic: boolean;
  readonly keepsPositions: boolean;
  readonly batching: { readonly maxItems: number; readonly lingerMs: number };
  readonly #options: CheckedSinkOptions<T>;
  readonly #client: KafkaClient;
  readonly #records: Records<T>;
  readonly #topics: Topics;
  readonly #pace: Pace;
  readonly #writers = new Set<Writer>();
  readonly #free: Writer[] = [];
  readonly #remainders: Remainders<T>;
  readonly #transactions: Transactions | undefined;
  /** Aborts when it is closed. */
  readonly #life = new AbortController();
  #context: SinkContext | undefined;

  constructor(options: KafkaSinkOptions<T>) {
    this.#options = checkSinkOptions(options);
    const { reach, writers, maxItems, lingerMs, maxBatchBytes, transactionalId } = this.#options;
    this.name = reach.name;
    this.concurrency = writers;
    this.atomic = transactionalId !== undefined;
    this.keepsPositions = transactionalId !== undefined;
    this.batching = { maxItems, lingerMs };
    this.#client = openClient(reach);
    this.#records = new Records(this.#options);
    this.#topics = new Topics(this.#client, maxBatchBytes, this.#life.signal);
    this.#pace = new Pace(reach.requestTimeoutMs);
    this.#remainders = new Remainders(writers);
    this.#transactions =
      transactionalId === undefined ? undefined : this.#createTransactions(transactionalId);
  }

  async open(context: SinkContext): Promise<void> {
    this.#context = context;
    const { signal } = context;
    const { topic } = this.#options;
    if (this.#transactions !== undefined && context.checkpoint === undefined) {
      throw new StreamWeldError(
        'SW_EXACTLY_ONCE_IMPOSSIBLE',
        `'${this.name}' has a transactionalId, and its run no checkpoint: there are no positions that a transaction could commit. Give the run .checkpoint(store, name), or leave transactionalId out.`,
        { stage: this.name },
      );
    }
    try {
      if (typeof topic === 'string') {
        for (const error of (await this.#topics.learn([topic], signal)).values()) throw error;
      }
      if (this.#transactions !== undefined) return;
      const writer = this.#takeWriter();
      await writer.ready(signal);
      this.#free.push(writer);
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  }

  /** Nothing: where its group stands the source knows itself. */
  positions(): ReadonlyMap<string, unknown> {
    return new Map();
  }

  async keep(positions: ReadonlyMap<string, unknown>): Promise<void> {
    const signal = this.#context?.signal;
    for (const each of positions) {
      const found = this.#transactions?.placeOf(new Map([each]));
      if (found === undefined || signal === undefined) return;
      await this.#transactions?.run(...found, async () => undefined, signal);
    }
  }

  async write(batch: readonly T[], { signal, attempt, positions }: WriteContext): Promise<void> {
    try {
      if (this.#transactions === undefined) await this.#write(batch, attempt, signal);
      else await this.#transact(this.#transactions, batch, positions, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (this.#life.signal.aborted) throw error;
      // Not of the items, and the same again cannot succeed: the run has to know.
      if (isStreamWeldError(error) && !isRefusal(error) && !isTransient(error)) this.#context?.fail(error);
      throw error;
    }
  }

  async #write(batch: readonly T[], attempt: number, signal: AbortSignal): Promise<void> {
    // Of a write that named what is bad, or failed in the middle, the rest comes again: some of it is written.
    const before = attempt === 1 ? undefined : this.#remainders.take(batch);
    if (before !== undefined && before.size === batch.length) return;
    const plan = await this.#plan(batch, (index) => before?.has(index) !== true, signal);
    const writer = this.#takeWriter();
    try {
      const sender = { send: (batches: readonly OutgoingBatch[]) => writer.send(batches, signal) };
      const sent = await sendPlan(sender, plan, this.#topics, this.#pace);
      for (const index of before ?? []) sent.done.add(index);
      this.#settle(batch, sent);
    } finally {
      this.#free.push(writer);
    }
  }

  /** All of it, and its position, or nothing. */
  async #transact(
    transactions: Transactions,
    batch: readonly T[],
    positions: ReadonlyMap<string, unknown> | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const [place, position] = transactions.placeOf(positions);
    const sent = await transactions.run(
      place,
      position,
      async (transaction) =>
        sendPlan(transaction, await this.#plan(batch, () => true, signal), this.#topics, this.#pace),
      signal,
    );
    // What was sent is not to be seen: nothing of it counts as written.
    if (sent !== undefined) this.#settle(batch, { ...sent, done: new Set() });
  }

  async #plan(batch: readonly T[], isWanted: (index: number) => boolean, signal: AbortSignal): Promise<Plan> {
    const unknown = await this.#topics.learn(namesOf(batch, this.#options), signal);
    return makePlan(batch, isWanted, this.#options, this.#records, this.#topics, unknown);
  }

  async close(reason?: unknown): Promise<void> {
    const { name } = this;
    this.#life.abort(
      new KafkaError('SW_KAFKA_CONNECTION_LOST', `'${name}' was closed while it wrote.`, { stage: name }),
    );
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
    return this.#free.pop() ?? this.#createWriter(undefined);
  }

  #createTransactions(prefix: string): Transactions {
    const { reach, deliveryTimeoutMs, transactionTimeoutMs } = this.#options;
    return new Transactions({
      client: this.#client,
      name: reach.name,
      prefix,
      requestTimeoutMs: reach.requestTimeoutMs,
      deliveryTimeoutMs,
      transactionTimeoutMs,
      life: this.#life.signal,
      createWriter: (transactionalId) => this.#createWriter(transactionalId),
    });
  }

  #createWriter(transactionalId: string | undefined): Writer {
    const { reach, deliveryTimeoutMs, isIdempotent, acks, compression, transactionTimeoutMs } = this.#options;
    const writer = new Writer({
      life: this.#life.signal,
      name: reach.name,
      connectTimeoutMs: reach.connectTimeoutMs,
      deliveryTimeoutMs,
      create: () =>
        this.#client.createProducer({
          isIdempotent,
          transactionalId,
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
