/** What all processes of a run agree on: where Kafka is, and what things are called there. */

import { randomUUID } from 'node:crypto';

export interface Hub {
  readonly brokers: readonly string[];
  /** A name that no other run has: topics, groups and what is in the cache are called by it. */
  readonly run: string;
  /** As many as may ever work in one group, and some more. */
  readonly partitions: number;
}

const PARTITIONS = 8;

/** Whoever was killed is missed after so long, and others have its share. */
export const SESSION_MS = 6000;

export function newHub(brokers: readonly string[]): Hub {
  return { brokers, run: randomUUID().slice(0, 8), partitions: PARTITIONS };
}

/** What has left, as it comes in. */
export function departuresTopic({ run }: Hub): string {
  return `streamweld-departures-${run}`;
}

/** The same with what the enrichers add. */
export function enrichedTopic({ run }: Hub): string {
  return `streamweld-enriched-${run}`;
}

/** Begins the name of each group that reads what is enriched, as a broadcast makes them: `enriched-1a2b3c4d.cache`. */
export function broadcastName({ run }: Hub): string {
  return `enriched-${run}`;
}
