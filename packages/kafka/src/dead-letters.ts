/** Dead letters as records of a topic: what was read, as it came, and in headers where from and what was wrong with it. */

import type { DeadLetter } from '@streamweld/core';
import { isKafkaPosition, parseLane } from './position.ts';
import type { KafkaRecord } from './record.ts';
import type { HeaderValues, KafkaSinkOptions, RecordBytes } from './sink-options.ts';

/** What every header begins with that says something of the letter. */
const PREFIX = 'dead-letter.';

export interface DeadLetterRecords {
  readonly key: (letter: DeadLetter) => RecordBytes | null;
  readonly value: (letter: DeadLetter) => RecordBytes | null;
  readonly headers: (letter: DeadLetter) => HeaderValues;
}

/**
 * Options of a KafkaSink that dead letters go to:
 *
 *     .deadLetter(new KafkaSink({ brokers, topic: 'orders.dead', ...deadLetterRecords }))
 *
 * A record that could not be decoded keeps its key, value and headers byte for byte, and has `dead-letter.topic`,
 * `dead-letter.partition`, `dead-letter.offset`, `dead-letter.timestamp`, `dead-letter.stage`, `dead-letter.attempts`,
 * `dead-letter.error` (a code, or a name) and `dead-letter.message` beside them. Of an item that was decoded, and refused by a
 * sink, the value is JSON, and instead of its offset `dead-letter.after` and `dead-letter.up-to` say between which it lies,
 * where its source is a KafkaSource.
 */
export const deadLetterRecords: DeadLetterRecords &
  Pick<KafkaSinkOptions<DeadLetter>, 'key' | 'value' | 'headers'> = {
  key: ({ item }) => (isRecord(item) ? item.key : null),
  value: ({ item }) => (isRecord(item) ? item.value : toJson(item)),
  headers: (letter) => {
    const { item, error, stage, attempts } = letter;
    const told: Record<string, string | undefined> = {
      ...placeOf(letter),
      stage,
      attempts: String(attempts),
      error: error.code ?? error.name,
      message: error.message,
    };
    const headers: Record<string, RecordBytes | readonly RecordBytes[] | undefined> = {};
    if (isRecord(item)) {
      // One that was read from a dead letter is told anew.
      for (const [name, value] of Object.entries(item.headers))
        if (!name.startsWith(PREFIX)) headers[name] = value;
    }
    for (const [name, value] of Object.entries(told)) headers[`${PREFIX}${name}`] = value;
    return headers;
  },
};

function placeOf({ item, lane, after, upTo }: DeadLetter): Record<string, string | undefined> {
  if (isRecord(item)) {
    const { topic, partition, offset, timestamp } = item;
    return { topic, partition: String(partition), offset, timestamp: String(timestamp) };
  }
  const place = lane === undefined ? undefined : parseLane(lane);
  if (place === undefined || !isKafkaPosition(upTo)) return {};
  return {
    topic: place.topic,
    partition: String(place.partition),
    after: isKafkaPosition(after) ? after.offset : undefined,
    'up-to': upTo.offset,
  };
}

function isRecord(item: unknown): item is KafkaRecord {
  if (typeof item !== 'object' || item === null) return false;
  const { topic, partition, offset, key, value } = item as Partial<Record<keyof KafkaRecord, unknown>>;
  return (
    typeof topic === 'string' &&
    typeof partition === 'number' &&
    typeof offset === 'string' &&
    isBytes(key) &&
    isBytes(value)
  );
}

function isBytes(value: unknown): boolean {
  return value === null || value instanceof Uint8Array;
}

/** Whatever has no JSON is told in the headers all the same. */
function toJson(item: unknown): string | null {
  try {
    return (
      JSON.stringify(item, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) ?? null
    );
  } catch {
    return null;
  }
}
