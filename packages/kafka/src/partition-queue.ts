/**
 * What was fetched of one partition and not yet handed out.
 *
 *     handedOut        next
 *        ▼              ▼
 *     …──┤ chunk │ chunk ├──…   a chunk is what one fetch brought; its end may lie behind its last record, where a
 *        └── take ─►    ◄─ put  transaction ended or records were aborted or compacted
 */

import type { FetchedRecords, IncomingRecord, TopicPartition } from './client.ts';
import { laneOf } from './position.ts';

interface Chunk {
  readonly records: readonly IncomingRecord[];
  readonly bytes: number;
  /** The offset behind it. */
  end: bigint;
}

/** Records up to an offset, the first that was not taken. */
export interface Taken {
  readonly records: readonly IncomingRecord[];
  readonly offset: string;
}

/** About what an object of a record takes, beside its bytes. */
const RECORD_BYTES = 250;

export class PartitionQueue implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** How the partition is named as a lane. */
  readonly lane: string;
  readonly #chunks: Chunk[] = [];
  /** The first record of the first chunk that was not taken. */
  #at = 0;
  #items = 0;
  #bytes = 0;
  #next: bigint;
  #handedOut: bigint;
  /** The offset that the next record of the partition will have, as far as is known. */
  highWatermark: bigint;
  /** Where it began. */
  readonly start: bigint;
  /** Up to here the group knows that all is done. */
  committed: bigint;
  /** Whether nothing more is fetched until there is room again. */
  isPaused = false;
  /** Where it begins is told before anything else, so that it is committed. */
  #tellsStart: boolean;

  constructor(
    { topic, partition }: TopicPartition,
    start: bigint,
    highWatermark: bigint,
    tellsStart: boolean,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.lane = laneOf({ topic, partition });
    this.start = start;
    this.committed = tellsStart ? start - 1n : start;
    this.#next = start;
    this.#handedOut = start;
    this.#tellsStart = tellsStart;
    this.highWatermark = highWatermark;
  }

  get items(): number {
    return this.#items;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The offset behind what is queued: where fetching goes on. */
  get next(): bigint {
    return this.#next;
  }

  /** The offset behind what was handed out. */
  get handedOut(): bigint {
    return this.#handedOut;
  }

  /** Whether `take` has something to tell. */
  get hasMore(): boolean {
    return this.#tellsStart || this.#handedOut < this.#next;
  }

  /** Takes up what was fetched. What it has already is left out: after a seek the same may come twice. */
  put({ records, first, next, highWatermark }: FetchedRecords): void {
    this.highWatermark = BigInt(highWatermark);
    const end = BigInt(next);
    if (end <= this.#next) return;
    if (records.length === 0) {
      // What comes out of turn says nothing of what lies between.
      if (BigInt(first) > this.#next) return;
      const last = this.#chunks.at(-1);
      if (last !== undefined) last.end = end;
      this.#next = end;
      return;
    }
    const isSeen = BigInt((records[0] as IncomingRecord).offset) < this.#next;
    const fresh = isSeen ? records.filter(({ offset }) => BigInt(offset) >= this.#next) : records;
    this.#next = end;
    if (fresh.length === 0) return;
    let bytes = 0;
    for (const { key, value } of fresh) bytes += RECORD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
    this.#chunks.push({ records: fresh, bytes, end });
    this.#items += fresh.length;
    this.#bytes += bytes;
  }

  /** Up to so many records, none where only the offset moved; undefined where it did not. */
  take(demand: number): Taken | undefined {
    if (this.#tellsStart) {
      this.#tellsStart = false;
      return { records: [], offset: String(this.start) };
    }
    const chunk = this.#chunks[0];
    if (chunk === undefined) {
      if (this.#handedOut >= this.#next) return undefined;
      this.#handedOut = this.#next;
      return { records: [], offset: String(this.#next) };
    }
    const { length } = chunk.records;
    const end = Math.min(this.#at + demand, length);
    // Whole chunks go on as they are.
    const records = this.#at === 0 && end === length ? chunk.records : chunk.records.slice(this.#at, end);
    this.#items -= records.length;
    if (end === length) {
      this.#chunks.shift();
      this.#at = 0;
      this.#handedOut = this.#chunks.length === 0 ? this.#next : chunk.end;
    } else {
      this.#at = end;
      this.#handedOut = BigInt((records.at(-1) as IncomingRecord).offset) + 1n;
    }
    this.#bytes -= Math.floor((chunk.bytes * records.length) / length);
    if (this.#items === 0) this.#bytes = 0;
    return { records, offset: String(this.#handedOut) };
  }

  /** What lay between is gone: it goes on at a later offset. */
  skipTo(offset: bigint): void {
    const last = this.#chunks.at(-1);
    if (last !== undefined) last.end = offset;
    this.#next = offset;
  }
}
