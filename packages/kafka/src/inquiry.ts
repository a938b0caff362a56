/** Asking the brokers what is where, each time through a connection of its own: one that a broker left behind is of no use. */

import type { KafkaAdmin, KafkaClient } from './client.ts';
import { DeadlinePassed, within } from './deadline.ts';
import { KafkaError, toKafkaError } from './errors.ts';
import type { CheckedReach } from './options.ts';

/** How long a connection may take to be closed. */
const CLOSE_MS = 3000;

export class Inquiry {
  readonly #client: KafkaClient;
  readonly #reach: CheckedReach;
  readonly #signal: AbortSignal;
  readonly #leaving = new Set<Promise<void>>();

  /** @param signal ends whatever is asked. */
  constructor(client: KafkaClient, reach: CheckedReach, signal: AbortSignal) {
    this.#client = client;
    this.#reach = reach;
    this.#signal = signal;
  }

  /** @throws StreamWeldError; what the signal gives as its reason */
  async ask<R>(question: (admin: KafkaAdmin) => Promise<R>): Promise<R> {
    this.#signal.throwIfAborted();
    const { connectTimeoutMs, requestTimeoutMs, name } = this.#reach;
    const admin = this.#client.createAdmin();
    const answering = (async () => {
      await admin.connect();
      return question(admin);
    })();
    try {
      const ms = connectTimeoutMs + requestTimeoutMs;
      return await inTime(ms, 'ask the brokers', name, answering, this.#signal);
    } catch (error) {
      if (this.#signal.aborted) throw error;
      throw toKafkaError(error, { action: 'ask the brokers', stage: name });
    } finally {
      const leaving = leave(admin);
      this.#leaving.add(leaving);
      void leaving.then(() => this.#leaving.delete(leaving));
    }
  }

  /** Settles when no connection is left. */
  async left(): Promise<void> {
    await Promise.all(this.#leaving);
  }
}

/** Never fails, and takes a moment at the most. */
export async function leave(client: { close(): Promise<void> }): Promise<void> {
  try {
    await within(CLOSE_MS, client.close());
  } catch {
    // Whatever is left of it goes with its connections.
  }
}

/** @throws KafkaError SW_KAFKA_TIMEOUT, the reason of the signal, or what the promise rejects with */
export async function inTime<R>(
  ms: number,
  action: string,
  stage: string,
  underWay: Promise<R>,
  signal?: AbortSignal,
): Promise<R> {
  try {
    return await within(ms, underWay, signal);
  } catch (error) {
    if (!(error instanceof DeadlinePassed)) throw error;
    throw new KafkaError(
      'SW_KAFKA_TIMEOUT',
      `Could not ${action}: the brokers did not answer within ${ms} ms.`,
      { stage, isTransient: true },
    );
  }
}
