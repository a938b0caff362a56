/** Where the partitions that a member was given begin, and whether that is there. */

import type { KafkaAdmin, TopicPartition, Watermarks } from './client.ts';
import { KafkaError } from './errors.ts';
import { laneOf } from './position.ts';
import type { CheckedSourceOptions } from './source-options.ts';

/** Of one partition, what the brokers say. */
export interface Place extends TopicPartition {
  readonly low: bigint;
  readonly high: bigint;
  /** What the group has committed. */
  readonly committed: bigint | undefined;
  /** Whether the group has committed anything in the topic: then a partition without an offset was added since. */
  readonly isOfKnownTopic: boolean;
  /** The first record at or after the time that is asked for. */
  readonly at: bigint | undefined;
}

export interface Start {
  readonly offset: bigint;
  /** It depends on when it was asked: it is to be committed before anything else, or another run would begin elsewhere. */
  readonly isChance: boolean;
}

/** @throws KafkaError SW_KAFKA_BUSY where a partition is not known to the brokers that were asked, yet. */
export async function findPlaces(
  admin: KafkaAdmin,
  partitions: readonly TopicPartition[],
  { groupId, from, name }: Pick<CheckedSourceOptions, 'groupId' | 'from' | 'name'>,
): Promise<Place[]> {
  const places: Place[] = [];
  for (const topic of new Set(partitions.map((each) => each.topic))) {
    const [watermarks, committed, times] = await Promise.all([
      admin.watermarks(topic),
      admin.committed(groupId, topic),
      from instanceof Date ? admin.offsetsAt(topic, from.getTime()) : [],
    ]);
    for (const { partition } of partitions.filter((each) => each.topic === topic)) {
      const marks = watermarks.find((each): each is Watermarks => each.partition === partition);
      if (marks === undefined) {
        throw new KafkaError(
          'SW_KAFKA_BUSY',
          `Could not find partition ${partition} of ${JSON.stringify(topic)}.`,
          {
            stage: name,
            topic,
            partition,
            isTransient: true,
          },
        );
      }
      // What is below zero is a place that a client has left, and no offset.
      const own = /^\d+$/.exec(committed.get(partition) ?? '')?.[0];
      const at = times.find((each) => each.partition === partition);
      places.push({
        topic,
        partition,
        low: BigInt(marks.low),
        high: BigInt(marks.high),
        committed: own === undefined ? undefined : BigInt(own),
        isOfKnownTopic: committed.size > 0,
        at: at === undefined ? undefined : BigInt(at.offset),
      });
    }
  }
  return places;
}

/** @param isNew it was added to its topic since the source was opened. */
export function beginningOf(place: Place, from: CheckedSourceOptions['from'], isNew: boolean): Start {
  if (place.committed !== undefined) return { offset: place.committed, isChance: false };
  if (from === 'earliest' || isNew) return { offset: place.low, isChance: false };
  if (from === 'latest')
    return place.isOfKnownTopic
      ? { offset: place.low, isChance: false }
      : { offset: place.high, isChance: true };
  if (from instanceof Date) return { offset: place.at ?? place.high, isChance: true };
  return { offset: from.get(laneOf(place)) ?? place.low, isChance: false };
}

/**
 * Where to begin in a topic that was made anew while it was read: by the policy alone, since its offsets are other records.
 * @throws KafkaError SW_KAFKA_OFFSET_OUT_OF_RANGE
 */
export function anew(
  offset: bigint,
  { topic, partition, low, high }: Place,
  { onOutOfRange: policy, name: stage }: CheckedSourceOptions,
): bigint {
  if (policy !== 'fail') return policy === 'earliest' ? low : high;
  throw new KafkaError(
    'SW_KAFKA_OFFSET_OUT_OF_RANGE',
    `Topic ${JSON.stringify(topic)} was deleted and made anew while partition ${partition} of it was read, up to offset ${offset}: what is there now are other records. Begin again, or give onOutOfRange: 'earliest' or 'latest', which goes on at what there is.`,
    { stage, topic, partition },
  );
}

/**
 * The offset itself where it is there, or is the next that comes; else what the policy says.
 * What lies beyond the end, as it is told here, may be there all the same: the end of what is committed comes before that of the
 * partition while transactions are open. So a broker is asked for it, and if that refuses it, it is not.
 * @param isRefused a broker has refused an offset
 * @throws KafkaError SW_KAFKA_OFFSET_OUT_OF_RANGE
 */
export function inRange(
  offset: bigint,
  { topic, partition, low, high }: Place,
  { onOutOfRange: policy, name: stage }: CheckedSourceOptions,
  isRefused: boolean,
): bigint {
  if (offset >= low && (offset <= high || !isRefused)) return offset;
  if (policy !== 'fail') return policy === 'earliest' ? low : high;
  const [what, why] =
    offset < low
      ? [
          `${low - offset} records before the first that is there, ${low}, are gone`,
          'Retention, or somebody, has deleted them',
        ]
      : [`the next that will come is ${high}`, 'Was the topic made anew, or is the position of another one?'];
  throw new KafkaError(
    'SW_KAFKA_OFFSET_OUT_OF_RANGE',
    `Partition ${partition} of topic ${JSON.stringify(topic)} cannot be read from offset ${offset}: ${what}. ${why} onOutOfRange: 'earliest' or 'latest' goes on at what there is.`,
    { stage, topic, partition },
  );
}
