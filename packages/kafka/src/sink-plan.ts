/**
 * Which records go where, and with which others.
 *
 *     items ──► records ──► by topic and partition ──► chunks, by bytes and count ──► rounds: the next chunk of each
 *
 * One send is one batch of the log for each partition, and is never split: what is too large is refused whole. So the
 * chunks are cut here; and a partition's next chunk waits until the one before it is written, which keeps the order.
 */

import type { StreamWeldError } from '@streamweld/core/connector';
import type { OutgoingBatch, OutgoingRecord } from './client.ts';
import { isRefusal, KafkaRecordError } from './errors.ts';
import { partitionOf } from './murmur2.ts';
import type { CheckedSinkOptions } from './sink-options.ts';
import { type Records, sizeOf } from './sink-records.ts';
import type { Topic, Topics } from './sink-topics.ts';

/** The most records of a chunk: beyond it nothing is gained. */
const MOST_RECORDS = 10_000;

/** Of a batch beside its records. */
const BATCH_OVERHEAD = 61;

export interface Chunk extends OutgoingBatch {
  readonly records: OutgoingRecord[];
  /** Of each record, the index of its item in the write. */
  readonly indexes: number[];
  bytes: number;
}

export interface Plan {
  /** By topic and partition, in order. */
  readonly lanes: readonly Chunk[][];
  /** Items that cannot be records, by their index. */
  readonly bad: Map<number, StreamWeldError>;
}

export function makePlan<T>(
  items: readonly T[],
  isWanted: (index: number) => boolean,
  options: CheckedSinkOptions<T>,
  records: Records<T>,
  topics: Topics,
  unknown: ReadonlyMap<string, StreamWeldError>,
): Plan {
  const lanes = new Map<string, Map<number, Chunk[]>>();
  const bad = new Map<number, StreamWeldError>();
  const { topic: given, partition: toPartition, reach } = options;
  for (let index = 0; index < items.length; index++) {
    if (!isWanted(index)) continue;
    const item = items[index] as T;
    try {
      const name = typeof given === 'string' ? given : given(item);
      const topic = topics.get(name);
      if (topic === undefined) throw unknown.get(name) ?? noTopic(reach.name);
      const record = records.make(item);
      const bytes = sizeOf(record);
      const partition = toPartition?.(item) ?? placeOf(record, topic, bytes);
      checkPartition(partition, name, topic, reach.name);
      let ofTopic = lanes.get(name);
      if (ofTopic === undefined) lanes.set(name, (ofTopic = new Map()));
      let chunks = ofTopic.get(partition);
      if (chunks === undefined) ofTopic.set(partition, (chunks = []));
      let chunk = chunks.at(-1);
      if (
        chunk === undefined ||
        chunk.records.length >= MOST_RECORDS ||
        chunk.bytes + bytes > topic.maxBatchBytes
      ) {
        chunk = { topic: name, partition, records: [], indexes: [], bytes: BATCH_OVERHEAD };
        chunks.push(chunk);
      }
      chunk.records.push(record);
      chunk.indexes.push(index);
      chunk.bytes += bytes;
    } catch (error) {
      // What a function of the user throws is no fault of the item's: it fails the write as it is.
      const isUnknown = error !== undefined && [...unknown.values()].includes(error as StreamWeldError);
      if (!isUnknown && !isRefusal(error)) throw error;
      bad.set(index, error as StreamWeldError);
    }
  }
  return { lanes: [...lanes.values()].flatMap((ofTopic) => [...ofTopic.values()]), bad };
}

/** The names that the topics of these items have. */
export function namesOf<T>(items: readonly T[], { topic }: CheckedSinkOptions<T>): Iterable<string> {
  if (typeof topic === 'string') return [topic];
  const names = new Set<string>();
  for (const item of items) {
    const name = topic(item);
    if (typeof name === 'string' && name !== '') names.add(name);
  }
  return names;
}

/** The next chunk of each lane, as much as may be sent at once. What is taken is gone from the plan. */
export function nextRound({ lanes }: Plan, mostBytes: number): Chunk[] {
  const round: Chunk[] = [];
  let bytes = 0;
  for (const lane of lanes) {
    while (lane[0] !== undefined && lane[0].bytes > mostBytes && lane[0].records.length > 1) {
      lane.splice(0, 1, ...halve(lane[0]));
    }
    const [chunk] = lane;
    if (chunk === undefined || (round.length > 0 && bytes + chunk.bytes > mostBytes)) continue;
    round.push(chunk);
    lane.shift();
    bytes += chunk.bytes;
  }
  return round;
}

export function halve({ topic, partition, records, indexes, bytes }: Chunk): readonly [Chunk, Chunk] {
  const middle = records.length >> 1;
  const part = (from: number, to: number): Chunk => ({
    topic,
    partition,
    records: records.slice(from, to),
    indexes: indexes.slice(from, to),
    bytes: bytes / 2,
  });
  return [part(0, middle), part(middle, records.length)];
}

/** By its key, as Java's client does it. */
function placeOf({ key }: OutgoingRecord, topic: Topic, bytes: number): number {
  return key === null ? topic.nextPartition(bytes) : partitionOf(key, topic.partitions);
}

function checkPartition(partition: number, name: string, { partitions }: Topic, stage: string): void {
  if (Number.isInteger(partition) && partition >= 0 && partition < partitions) return;
  throw new KafkaRecordError(
    'SW_KAFKA_RECORD_INVALID',
    `The partition of an item must be from 0 to ${partitions - 1}, the partitions of topic ${JSON.stringify(name)}.`,
    undefined,
    { stage, topic: name },
  );
}

function noTopic(stage: string): KafkaRecordError {
  return new KafkaRecordError(
    'SW_KAFKA_RECORD_INVALID',
    'The topic of an item must be a text that is not empty.',
    undefined,
    { stage },
  );
}
