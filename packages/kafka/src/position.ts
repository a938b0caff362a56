/** Where a reader of Kafka stands: what a KafkaSource answers with its batches, and a transaction of a KafkaSink commits. */

import type { TopicPartition } from './client.ts';

/** A place in a partition. Its lane is `<topic>/<partition>`. */
export interface KafkaPosition {
  /** Of the next record. */
  readonly offset: string;
  /**
   * The group whose offset is committed by the transaction of whoever writes; the source then commits nothing itself. Null
   * where the source commits, or has no group.
   */
  readonly groupId: string | null;
  /**
   * Where the source began to read the partition when it was given it: a transaction that finds the group's offset beyond
   * that knows of another who was there in between.
   */
  readonly since?: string | undefined;
}

export function laneOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** Undefined where it is no lane of a KafkaSource. A topic's name holds no slash: what stands before is of a merge. */
export function parseLane(lane: string): TopicPartition | undefined {
  const found = /([^/]+)\/(\d{1,9})$/.exec(lane);
  return found === null ? undefined : { topic: found[1] as string, partition: Number(found[2]) };
}

export function isKafkaPosition(value: unknown): value is KafkaPosition {
  if (typeof value !== 'object' || value === null) return false;
  const { offset, groupId, since } = value as Record<string, unknown>;
  return (
    isOffset(offset) &&
    (groupId === null || (typeof groupId === 'string' && groupId !== '')) &&
    (since === undefined || isOffset(since))
  );
}

function isOffset(value: unknown): boolean {
  return typeof value === 'string' && /^\d{1,19}$/.test(value);
}
