/** The topics of a run: made before it, and removed after it. */

import { Refusal } from '@streamweld/app-kit';
import { makeTopics } from '@streamweld/app-kit/kafka';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { broadcastName, departuresTopic, enrichedTopic, type Hub } from './hub.ts';

/** Who does not answer by then is not there. */
const CONNECT_MS = 3000;

export class Topics implements AsyncDisposable {
  readonly #hub: Hub;
  readonly #admin: Admin;
  readonly #goesToo: boolean;

  private constructor(hub: Hub, admin: Admin, goesToo: boolean) {
    this.#hub = hub;
    this.#admin = admin;
    this.#goesToo = goesToo;
  }

  /** @param goesToo the Kafka is the app's own, which ends with all that is in it. @throws Refusal EVENTS_KAFKA_UNAVAILABLE */
  static async make(hub: Hub, goesToo: boolean): Promise<Topics> {
    const admin = adminOf(hub.brokers);
    try {
      await admin.connect();
      const topics = [departuresTopic(hub), enrichedTopic(hub)].map((topic) => ({
        topic,
        numPartitions: hub.partitions,
        replicationFactor: -1,
      }));
      await makeTopics({ admin, adminOf: (broker) => adminOf([broker]), topics });
      return new Topics(hub, admin, goesToo);
    } catch (error) {
      await admin.disconnect().catch(() => {});
      throw new Refusal(
        'EVENTS_KAFKA_UNAVAILABLE',
        `The Kafka at ${hub.brokers.join(', ')} cannot be used: ${reasonOf(error)}. See that its brokers run and can be reached, or leave --brokers and STREAMWELD_KAFKA_BROKERS out: then the app starts one.`,
        { cause: error },
      );
    }
  }

  /** What cannot be removed is forgotten by the brokers with time. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#goesToo) await this.#remove();
    await this.#admin.disconnect();
  }

  async #remove(): Promise<void> {
    const { run } = this.#hub;
    const groups = await this.#admin.listGroups().catch(() => ({ groups: [] }));
    const ours = groups.groups
      .map(({ groupId }) => groupId)
      .filter((name) => name === `enrichers-${run}` || name.startsWith(`${broadcastName(this.#hub)}.`));
    await this.#admin.deleteGroups(ours).catch(() => {});
    await this.#admin
      .deleteTopics({ topics: [departuresTopic(this.#hub), enrichedTopic(this.#hub)] })
      .catch(() => {});
  }
}

function adminOf(brokers: readonly string[]): Admin {
  return new Kafka({
    brokers: [...brokers],
    clientId: 'streamweld-events',
    logLevel: logLevel.NOTHING,
    connectionTimeout: CONNECT_MS,
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1000 },
  }).admin();
}

/** The innermost says what it was: what is around it says how often it was tried. */
function reasonOf(error: unknown): string {
  const { cause, errors, message } = error as { cause?: unknown; errors?: unknown[]; message?: string };
  const inner = cause ?? errors?.[0];
  return inner instanceof Error ? reasonOf(inner) : (message ?? String(error));
}
