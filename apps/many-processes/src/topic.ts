/** The topic that everything goes through: made for a run, and removed after it. */

import { Refusal } from '@streamweld/app-kit';
import { makeTopics } from '@streamweld/app-kit/kafka';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import type { Hub } from './pipeline.ts';

export class Topic implements AsyncDisposable {
  readonly #admin: Admin;
  readonly #name: string;

  private constructor(admin: Admin, name: string) {
    this.#admin = admin;
    this.#name = name;
  }

  /** @throws Refusal PROCESSES_KAFKA_UNAVAILABLE */
  static async make({ brokers, topic, partitions }: Hub, signal: AbortSignal): Promise<Topic> {
    const admin = adminOf(brokers.split(','));
    try {
      await admin.connect();
      const topics = [{ topic, numPartitions: partitions, replicationFactor: -1 }];
      await makeTopics({ admin, adminOf: (broker) => adminOf([broker]), topics, signal });
      return new Topic(admin, topic);
    } catch (error) {
      await admin.disconnect().catch(() => {});
      signal.throwIfAborted();
      throw new Refusal(
        'PROCESSES_KAFKA_UNAVAILABLE',
        `The Kafka at ${brokers} cannot be used: ${reasonOf(error)}. See that its brokers run and can be reached.`,
        { cause: error },
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.deleteTopics({ topics: [this.#name] });
    await this.#admin.disconnect();
  }
}

function adminOf(brokers: string[]): Admin {
  return new Kafka({
    brokers,
    clientId: 'many-processes',
    logLevel: logLevel.NOTHING,
    connectionTimeout: 3000,
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1000 },
  }).admin();
}

/** The innermost says what it was: what is around it says how often it was tried. */
function reasonOf(error: unknown): string {
  const { cause, errors, message } = error as { cause?: unknown; errors?: unknown[]; message?: string };
  const inner = cause ?? errors?.[0];
  return inner instanceof Error ? reasonOf(inner) : (message ?? String(error));
}
