/** From an item to a record: bytes, and how many there are. */

import type { Headers, OutgoingRecord } from './client.ts';
import { KafkaRecordError } from './errors.ts';
import type { CheckedSinkOptions, HeaderValues, RecordBytes } from './sink-options.ts';

/** The most that a record takes beside key, value and headers; and a header beside its name and value. */
const RECORD_OVERHEAD = 21;
const HEADER_OVERHEAD = 10;

/** A broker ends the connection at a request that is larger (`socket.request.max.bytes`), and says nothing. */
const MOST_BYTES = 100 << 20;

export class Records<T> {
  readonly #options: CheckedSinkOptions<T>;

  constructor(options: CheckedSinkOptions<T>) {
    this.#options = options;
  }

  /** @throws KafkaRecordError where the item cannot be a record */
  make(item: T): OutgoingRecord {
    const { key, value, headers, timestamp } = this.#options;
    const given = value === undefined ? this.#byDefault(item) : value(item);
    if (given !== null && !isBytes(given)) this.#refuse('value', 'text, bytes or null', given);
    const ofKey = key?.(item) ?? null;
    if (ofKey !== null && !isBytes(ofKey)) this.#refuse('key', 'text, bytes or null', ofKey);
    const record = {
      key: ofKey === null ? null : toBytes(ofKey),
      value: given === null ? null : toBytes(given),
      headers: this.#headers(headers?.(item)),
      timestamp: this.#timestamp(timestamp?.(item)),
    };
    if (sizeOf(record) > MOST_BYTES) {
      throw new KafkaRecordError(
        'SW_KAFKA_RECORD_TOO_LARGE',
        `An item makes a record of more than ${MOST_BYTES} bytes: no broker takes it. Take less into it.`,
        undefined,
        { stage: this.#options.reach.name },
      );
    }
    return record;
  }

  #byDefault(item: T): RecordBytes | null {
    if (item === null || isBytes(item)) return item as RecordBytes | null;
    let text: unknown;
    try {
      text = JSON.stringify(item);
    } catch {
      // It is not a cause: whoever threw it may have put something of the item into it.
      throw this.#error('An item cannot be written as JSON. Give a value(item) that makes bytes of it.');
    }
    // `undefined`, functions and symbols have no JSON.
    if (typeof text !== 'string') this.#refuse('value', 'something that JSON can hold', item);
    return text as string;
  }

  #headers(given: HeaderValues | undefined): Headers | undefined {
    if (given === undefined) return undefined;
    // A Map or a list would be taken for an object without headers, or with the names 0, 1, 2.
    if (typeof given !== 'object' || given === null || Symbol.iterator in given)
      this.#refuse('headers', 'an object of names and values', given);
    const entries: [string, Uint8Array | Uint8Array[]][] = [];
    for (const [name, value] of Object.entries(given)) {
      if (value === undefined) continue;
      const all: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (!all.every(isBytes)) this.#refuse(`headers.${name}`, 'text, bytes, or a list of them', value);
      entries.push([
        name,
        Array.isArray(value)
          ? all.map((each) => toBytes(each as RecordBytes))
          : toBytes(value as RecordBytes),
      ]);
    }
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  }

  #timestamp(given: Date | number | undefined): number | undefined {
    if (given === undefined) return undefined;
    const ms = given instanceof Date ? given.getTime() : given;
    if (!Number.isSafeInteger(ms) || ms < 0) {
      this.#refuse('timestamp', 'a Date, or whole milliseconds since 1970', given);
    }
    return ms;
  }

  /** Its kind alone is told: it is of an item. */
  #refuse(what: string, expected: string, got: unknown): never {
    throw this.#error(`The ${what} of an item must be ${expected}, and is ${kindOf(got)}.`);
  }

  #error(message: string): KafkaRecordError {
    return new KafkaRecordError('SW_KAFKA_RECORD_INVALID', message, undefined, {
      stage: this.#options.reach.name,
    });
  }
}

/** No less than what it takes in a batch, before compression. */
export function sizeOf({ key, value, headers }: OutgoingRecord): number {
  let size = RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0);
  if (headers === undefined) return size;
  for (const [name, given] of Object.entries(headers)) {
    const values = given instanceof Uint8Array ? [given] : given;
    for (const each of values) size += HEADER_OVERHEAD + Buffer.byteLength(name) + each.length;
  }
  return size;
}

function isBytes(value: unknown): value is RecordBytes {
  return typeof value === 'string' || value instanceof Uint8Array;
}

function toBytes(value: RecordBytes): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : value;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value instanceof Map) return 'a Map';
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`;
}
