/**
 * One producer at a time. What failed in a way that may have left it in doubt of what it wrote is thrown away, and the next
 * send begins another: its sequence numbers would not fit any more, and what it wrote under one that is known already would
 * be dropped though it is acknowledged.
 */

import { onAbort } from '@streamweld/core/connector';
import type { KafkaProducer, OutgoingBatch, SendFailure } from './client.ts';
import { DeadlinePassed, within } from './deadline.ts';
import { isRefusal, KafkaError } from './errors.ts';

/** Beyond what a client gives itself, in milliseconds: it may hang. */
const GRACE_MS = 5000;

/** A sequence number has 31 bits, and kafkajs does not count on behind the last of them as brokers do. */
const MOST_RECORDS = 2 ** 30;

export interface WriterOptions {
  readonly create: () => KafkaProducer;
  /** Aborts when the sink is closed: nothing is begun then. */
  readonly life: AbortSignal;
  readonly name: string;
  readonly connectTimeoutMs: number;
  readonly deliveryTimeoutMs: number;
}

export class Writer {
  readonly #options: WriterOptions;
  #producer: Promise<KafkaProducer> | undefined;
  /** All that are not closed yet. */
  readonly #open = new Set<KafkaProducer>();
  #sent = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Connects, where that is not done. @throws StreamWeldError */
  async ready(signal: AbortSignal): Promise<KafkaProducer> {
    this.#options.life.throwIfAborted();
    signal.throwIfAborted();
    const forget = onAbort(signal, () => this.discard());
    try {
      this.#producer ??= this.#connect();
      const producer = await this.#producer;
      this.#options.life.throwIfAborted();
      return producer;
    } catch (error) {
      this.discard();
      throw signal.aborted ? signal.reason : error;
    } finally {
      forget();
    }
  }

  /** One at a time. @throws StreamWeldError, or the reason of the signal */
  async send(batches: readonly OutgoingBatch[], signal: AbortSignal): Promise<readonly SendFailure[]> {
    const failures = await this.#send(batches, signal);
    const unsent = failures.filter(({ isUnsent }) => isUnsent === true);
    if (unsent.length === 0) return failures;
    // The topic has gained partitions: the next producer knows them.
    const again = batches.filter((batch) => unsent.some((failure) => isOf(failure, batch)));
    return [...failures.filter(({ isUnsent }) => isUnsent !== true), ...(await this.#send(again, signal))];
  }

  async #send(batches: readonly OutgoingBatch[], signal: AbortSignal): Promise<readonly SendFailure[]> {
    const producer = await this.ready(signal);
    const forget = onAbort(signal, () => this.discard());
    try {
      const underWay = producer.send(batches);
      const failures = await within(this.#options.deliveryTimeoutMs + GRACE_MS, underWay, signal);
      if (signal.aborted) throw signal.reason;
      for (const { records } of batches) this.#sent += records.length;
      if (failures.some(({ error }) => !isRefusal(error)) || this.#sent > MOST_RECORDS) this.discard();
      return failures;
    } catch (error) {
      this.discard();
      throw error instanceof DeadlinePassed ? this.#late(error) : error;
    } finally {
      forget();
    }
  }

  /** What is outstanding fails. */
  abandon(): void {
    for (const producer of this.#open) producer.abandon();
  }

  async close(): Promise<void> {
    this.#producer = undefined;
    await Promise.all([...this.#open].map((producer) => this.#close(producer)));
  }

  async #connect(): Promise<KafkaProducer> {
    const producer = this.#options.create();
    this.#open.add(producer);
    this.#sent = 0;
    try {
      await within(this.#options.connectTimeoutMs + GRACE_MS, producer.connect(), this.#options.life);
      return producer;
    } catch (error) {
      throw error instanceof DeadlinePassed ? this.#late(error) : error;
    }
  }

  /** Gives its producer up, whatever it is doing. */
  discard(): void {
    this.#producer = undefined;
    for (const producer of this.#open) {
      producer.abandon();
      void this.#close(producer);
    }
  }

  async #close(producer: KafkaProducer): Promise<void> {
    try {
      await within(GRACE_MS, producer.close());
    } catch {
      // It is given up in any case.
    }
    this.#open.delete(producer);
  }

  #late({ ms }: DeadlinePassed): KafkaError {
    const { name } = this.#options;
    return new KafkaError(
      'SW_KAFKA_TIMEOUT',
      `The client of '${name}' did not end within ${ms} ms what it was asked for, and was given up. What it was writing may still be written.`,
      { stage: name, isTransient: true },
    );
  }
}

function isOf(failure: SendFailure, { topic, partition }: OutgoingBatch): boolean {
  return failure.topic === topic && failure.partition === partition;
}
