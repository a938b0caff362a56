/**
 * What the members of a group tell each other, through a coordinator that does not look into it: what each has subscribed to,
 * and what the leader gives to each. Members of other clients read and write the same.
 */

import type { TopicPartition } from './client.ts';

/** Of kafkajs too: members of both kinds may be in one group. */
export const PROTOCOL_NAME = 'RoundRobinAssigner';

/** What all consumers call what they are. */
export const PROTOCOL_TYPE = 'consumer';

const VERSION = 0;

export function encodeSubscription(topics: readonly string[]): Buffer {
  return Buffer.concat([int16(VERSION), int32(topics.length), ...topics.map(text), int32(0)]);
}

export function decodeSubscription(metadata: Buffer | null): readonly string[] {
  if (metadata === null || metadata.length === 0) return [];
  const reader = new Reader(metadata);
  reader.int16();
  return reader.list(() => reader.text());
}

export function encodeAssignment(assignment: Readonly<Record<string, readonly number[]>>): Buffer {
  const topics = Object.entries(assignment);
  return Buffer.concat([
    int16(VERSION),
    int32(topics.length),
    ...topics.flatMap(([topic, partitions]) => [
      text(topic),
      int32(partitions.length),
      ...partitions.map(int32),
    ]),
    int32(0),
  ]);
}

export function decodeAssignment(assignment: Buffer): readonly TopicPartition[] {
  // Whom the leader has not heard of gets nothing at all.
  if (assignment.length === 0) return [];
  const reader = new Reader(assignment);
  reader.int16();
  return reader
    .list(() => {
      const topic = reader.text();
      return reader.list(() => ({ topic, partition: reader.int32() }));
    })
    .flat();
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  text(): string {
    const length = this.int16();
    this.#at += length;
    return this.#bytes.toString('utf8', this.#at - length, this.#at);
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: this.int32() }, read);
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}
