/** Where the partitions of an assignment go on: those that stayed where they were, the others where a store or the group says. */

import type { Assignment } from './assignment.ts';
import { PartitionQueue } from './partition-queue.ts';
import { laneOf } from './position.ts';
import type { CheckedSourceOptions } from './source-options.ts';
import { anew, beginningOf, inRange, type Place, type Start } from './start-offsets.ts';
import type { TopicList } from './topic-list.ts';

export class Placement {
  readonly #assignment: Assignment;
  readonly #topics: TopicList;
  readonly #options: CheckedSourceOptions;
  /** Where a store says that lanes go on. Each counts once. */
  readonly #resumes: Map<string, bigint>;
  readonly #endLane: (lane: string) => void;
  /** Once it has placed some: whatever the store said, others may have gone on since. */
  #isLater = false;
  /** A topic was not there for a while: what is called so may be another by now. */
  #isTopicInDoubt = false;
  /** A broker refused an offset. */
  #isOffsetInDoubt = false;

  constructor(
    assignment: Assignment,
    topics: TopicList,
    options: CheckedSourceOptions,
    resumes: ReadonlyMap<string, bigint>,
    endLane: (lane: string) => void,
  ) {
    this.#assignment = assignment;
    this.#topics = topics;
    this.#options = options;
    this.#resumes = new Map(resumes);
    this.#endLane = endLane;
  }

  /** The others are lost. */
  keepOnly(lanes: ReadonlySet<string>): void {
    for (const queue of this.#assignment.queues) if (!lanes.has(queue.lane)) this.#lose(queue);
  }

  /** @param refusal what a broker said when it was read from, by Kafka's name for it */
  doubt(refusal: string | undefined): void {
    if (refusal === 'UNKNOWN_TOPIC_OR_PARTITION') this.#isTopicInDoubt = true;
    if (refusal === 'OFFSET_OUT_OF_RANGE') this.#isOffsetInDoubt = true;
  }

  /** Whether some begin beyond the end that was told, where a broker may refuse to read from. */
  isInQuestion = false;

  /** @throws KafkaError SW_KAFKA_OFFSET_OUT_OF_RANGE */
  place(places: readonly Place[]): void {
    for (const place of places) this.#begin(place);
    this.isInQuestion = places.some(
      (place) => (this.#assignment.get(laneOf(place))?.next ?? 0n) > place.high,
    );
    this.#isLater = true;
    this.#isTopicInDoubt = false;
    this.#isOffsetInDoubt = false;
  }

  #begin(place: Place): void {
    const lane = laneOf(place);
    const kept = this.#assignment.get(lane);
    if (kept !== undefined && this.#isAnother(kept, place)) {
      const start = anew(kept.handedOut, place, this.#options);
      this.#lose(kept);
      this.#assignment.add(new PartitionQueue(place, start, place.high, true));
      return;
    }
    if (kept !== undefined) {
      const next = inRange(kept.next, place, this.#options, this.#isOffsetInDoubt);
      // Somebody else has had it in between, and has done more than was handed out here.
      const isBehind = place.committed !== undefined && place.committed > kept.handedOut;
      if (!isBehind && next >= kept.next) {
        if (next > kept.next) kept.skipTo(next);
        return;
      }
      this.#lose(kept);
    }
    const { offset, isChance } =
      this.#resumed(lane, place) ?? beginningOf(place, this.#options.from, this.#topics.isNew(place));
    const start = inRange(offset, place, this.#options, this.#isOffsetInDoubt);
    this.#assignment.add(new PartitionQueue(place, start, place.high, isChance || start !== offset));
  }

  /** With a topic the offsets of its groups go: nobody else takes them from a group that has members. */
  #isAnother(kept: PartitionQueue, { committed }: Place): boolean {
    if (committed !== undefined) return false;
    return kept.committed > kept.start || (this.#isTopicInDoubt && kept.handedOut > kept.start);
  }

  #resumed(lane: string, { committed }: Place): Start | undefined {
    const offset = this.#resumes.get(lane);
    this.#resumes.delete(lane);
    if (offset === undefined) return undefined;
    return this.#isLater && committed !== undefined && committed > offset
      ? undefined
      : { offset, isChance: false };
  }

  #lose(queue: PartitionQueue): void {
    this.#assignment.remove(queue);
    this.#endLane(queue.lane);
  }
}
