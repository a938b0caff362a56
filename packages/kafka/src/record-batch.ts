/**
 * Records of a partition as one batch of Kafka's log, as brokers and all clients have it since Kafka 0.11:
 *
 *     base offset · length · leader epoch · magic · crc │ attributes · last delta · times · producer · sequence · count · records
 *                                                       └─ the crc is of this, the length from the leader epoch on
 */

import type { Headers, OutgoingRecord } from './client.ts';

export interface BatchProducer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly isTransactional: boolean;
}

/** How a client compresses and sums up. */
export interface BatchCodec {
  /** The number of the compression in the attributes. */
  readonly bitmask: number;
  readonly compress: (bytes: Buffer) => Buffer;
  readonly crc32c: (bytes: Buffer) => number;
}

const MAGIC = 2;
const TRANSACTIONAL = 1 << 4;

/** Up to the first record. */
const HEADER_BYTES = 61;
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;

/** @param firstSequence of the first record; the others count on. */
export function encodeBatch(
  records: readonly OutgoingRecord[],
  { producerId, producerEpoch, isTransactional }: BatchProducer,
  firstSequence: number,
  { bitmask, compress, crc32c }: BatchCodec,
): Buffer {
  const now = Date.now();
  const first = records[0]?.timestamp ?? now;
  const body = new Bytes();
  let last = first;
  records.forEach((record, delta) => {
    const timestamp = record.timestamp ?? now;
    if (timestamp > last) last = timestamp;
    writeRecord(body, record, timestamp - first, delta);
  });
  const packed = bitmask === 0 ? body.all : compress(body.all);
  const batch = Buffer.allocUnsafe(HEADER_BYTES + packed.length);
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - LENGTH_AT - 4, LENGTH_AT);
  batch.writeInt32BE(-1, LENGTH_AT + 4);
  batch.writeInt8(MAGIC, MAGIC_AT);
  let at = batch.writeInt16BE(bitmask | (isTransactional ? TRANSACTIONAL : 0), ATTRIBUTES_AT);
  at = batch.writeInt32BE(records.length - 1, at);
  at = batch.writeBigInt64BE(BigInt(first), at);
  at = batch.writeBigInt64BE(BigInt(last), at);
  at = batch.writeBigInt64BE(producerId, at);
  at = batch.writeInt16BE(producerEpoch, at);
  at = batch.writeInt32BE(firstSequence, at);
  at = batch.writeInt32BE(records.length, at);
  batch.set(packed, at);
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)) >>> 0, CRC_AT);
  return batch;
}

function writeRecord(
  bytes: Bytes,
  { key, value, headers }: OutgoingRecord,
  timestampDelta: number,
  offsetDelta: number,
): void {
  const pairs = headers === undefined ? [] : flat(headers);
  let size = 1 + sizeOf(timestampDelta) + sizeOf(offsetDelta) + sizeOfField(key) + sizeOfField(value);
  size += sizeOf(pairs.length);
  for (const [name, each] of pairs) size += sizeOfField(name) + sizeOfField(each);
  bytes.reserve(sizeOf(size) + size);
  bytes.number(size);
  // Attributes of a record have no meaning yet.
  bytes.number(0);
  bytes.number(timestampDelta);
  bytes.number(offsetDelta);
  bytes.field(key);
  bytes.field(value);
  bytes.number(pairs.length);
  for (const [name, each] of pairs) {
    bytes.field(name);
    bytes.field(each);
  }
}

/** Of one name there may be several. */
function flat(headers: Headers): (readonly [Uint8Array, Uint8Array])[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    const key = Buffer.from(name);
    return (value instanceof Uint8Array ? [value] : value).map((each) => [key, each] as const);
  });
}

/** Numbers are zigzag: the sign is the lowest bit. Times are wider than 32 bits, and none is wider than 52. */
function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2;
}

function sizeOf(value: number): number {
  let size = 1;
  for (let rest = zigzag(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

function sizeOfField(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : sizeOf(bytes.length) + bytes.length;
}

/** Bytes that become more. */
class Bytes {
  #bytes = Buffer.allocUnsafe(1 << 14);
  #length = 0;

  get all(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#length + more));
    larger.set(this.all);
    this.#bytes = larger;
  }

  number(value: number): void {
    let rest = zigzag(value);
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  field(bytes: Uint8Array | null): void {
    this.number(bytes === null ? -1 : bytes.length);
    if (bytes === null) return;
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }
}
