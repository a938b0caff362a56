/** Topics of Kafka, made for an app. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin, ITopicConfig } from 'kafkajs';

/** Brokers that were just started take seconds to tell each other of a topic. */
const KNOWN_MS = 30_000;
const LOOK_EVERY_MS = 20;

export interface TopicsToMake {
  /** Connected. */
  readonly admin: Admin;
  /** Another one, of this broker alone, `host:port`: not connected yet. */
  readonly adminOf: (broker: string) => Admin;
  readonly topics: readonly (ITopicConfig & { readonly numPartitions: number })[];
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes topics, and waits until each broker knows who leads their partitions, and the leaders answer for them.
 * @throws what kafkajs does; after 30 s, why they still cannot be used
 */
export async function makeTopics({ admin, adminOf, topics, signal }: TopicsToMake): Promise<void> {
  // Where another broker than the one that made it has not heard of a topic yet, kafkajs throws and does not wait.
  await admin.createTopics({ waitForLeaders: false, topics: [...topics] });
  const { brokers } = await admin.describeCluster();
  await Promise.all(
    brokers.map(async ({ host, port }) => {
      const asked = adminOf(`${host}:${port}`);
      await asked.connect();
      try {
        for (const topic of topics) await until(() => checkLed(asked, topic), signal);
      } finally {
        await asked.disconnect();
      }
    }),
  );
  // A leader may hear later than others that it is one.
  for (const { topic } of topics) await until(() => admin.fetchTopicOffsets(topic), signal);
}

async function checkLed(
  admin: Admin,
  { topic, numPartitions }: TopicsToMake['topics'][number],
): Promise<void> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const led = topics[0]?.partitions.filter(({ leader }) => leader >= 0).length ?? 0;
  if (led < numPartitions) throw new Error(`${led} of ${numPartitions} partitions of ${topic} are led.`);
}

/** Tries until it does not reject, for 30 s at most. */
async function until(attempt: () => Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  const deadline = Date.now() + KNOWN_MS;
  for (;;) {
    signal?.throwIfAborted();
    try {
      await attempt();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}
