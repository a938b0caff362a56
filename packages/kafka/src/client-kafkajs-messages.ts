/** Records as messages of kafkajs, sorted as it would sort them, and marked so that the adapter knows its calls again. */

import type { Message, TopicMessages } from 'kafkajs';
import type { Headers, OutgoingBatch, OutgoingRecord, PartitionOffset } from './client.ts';

/** One call of kafkajs: to which broker it goes, as far as is known yet. */
export interface Call {
  first: Outgoing | undefined;
  leader: number | undefined;
  isSplit: boolean;
}

/** A message of kafkajs. The first of each batch knows its call. */
export type Outgoing = Message & { readonly partition: number; readonly call: Call | undefined };

export function toMessages(batches: readonly OutgoingBatch[], call: Call): TopicMessages[] {
  const topics = new Map<string, Outgoing[][]>();
  for (const { topic, partition, records } of batches) {
    const messages = records.map((record, at) => toMessage(record, partition, at === 0 ? call : undefined));
    const known = topics.get(topic);
    if (known === undefined) topics.set(topic, [messages]);
    else known.push(messages);
  }
  const topicMessages = [...topics].map(([topic, sorted]) => ({ topic, messages: asSorted(sorted) }));
  call.first = topicMessages[0]?.messages[0];
  return topicMessages;
}

type Placed = Record<string, Outgoing[]>;

/**
 * kafkajs sorts messages by partition with `reduce`, and copies what it has of a partition with each that it adds: for
 * thousands of them that costs more than all the rest. These are sorted, and say so.
 */
function asSorted(batches: readonly Outgoing[][]): Outgoing[] {
  const reduce = (place: (placed: Placed, message: Outgoing) => Placed): Placed => {
    const placed: Placed = {};
    for (const batch of batches) {
      const [partition] = Object.keys(place({}, batch[0] as Outgoing));
      placed[partition as string] = batch;
    }
    return placed;
  };
  return Object.defineProperty(batches.flat(), 'reduce', { value: reduce });
}

function toMessage(
  { key, value, headers, timestamp }: OutgoingRecord,
  partition: number,
  call: Call | undefined,
): Outgoing {
  return {
    key: key === null ? null : toBuffer(key),
    value: value === null ? null : toBuffer(value),
    ...(headers === undefined ? undefined : { headers: toHeaders(headers) }),
    ...(timestamp === undefined ? undefined : { timestamp: String(timestamp) }),
    partition,
    call,
  };
}

/** It writes the text of whatever is no Buffer. */
function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function toHeaders(headers: Headers): Record<string, Buffer | Buffer[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? toBuffer(value) : value.map(toBuffer),
    ]),
  );
}

export function byTopic(
  offsets: readonly PartitionOffset[],
): { topic: string; partitions: { partition: number; offset: string }[] }[] {
  const topics = new Map<string, { partition: number; offset: string }[]>();
  for (const { topic, partition, offset } of offsets) {
    const known = topics.get(topic);
    if (known === undefined) topics.set(topic, [{ partition, offset }]);
    else known.push({ partition, offset });
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}
