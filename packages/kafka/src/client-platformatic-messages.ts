/** Records as `@platformatic/kafka` writes them. */

import type { OutgoingBatch, OutgoingRecord } from './client.ts';
import type { OutgoingMessage } from './client-platformatic-shape.ts';

type Headers = readonly (readonly [Buffer, Buffer])[];

const NONE: OutgoingMessage['headers'] = iterable([]);

export function toMessages({ topic, partition, records }: OutgoingBatch): OutgoingMessage[] {
  const now = BigInt(Date.now());
  return records.map(({ key, value, headers, timestamp }) => ({
    topic,
    partition,
    key: key === null ? null : toBuffer(key),
    value: value === null ? null : toBuffer(value),
    headers: headers === undefined ? NONE : iterable(flat(headers)),
    timestamp: timestamp === undefined ? now : BigInt(timestamp),
  }));
}

function flat(headers: NonNullable<OutgoingRecord['headers']>): Headers {
  return Object.entries(headers).flatMap(([name, value]) => {
    const key = Buffer.from(name);
    const values = value instanceof Uint8Array ? [value] : value;
    return values.map((each) => [key, toBuffer(each)] as const);
  });
}

/** A Map has one of each name. */
function iterable(headers: Headers): OutgoingMessage['headers'] {
  return { size: headers.length, [Symbol.iterator]: () => headers[Symbol.iterator]() };
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
