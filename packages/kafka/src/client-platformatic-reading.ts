/** A partition that is read, and what is wrong with it. */

import { runtime } from '@streamweld/core/connector';
import type { ConsumerHandlers, TopicPartition } from './client.ts';
import { laneOf } from './position.ts';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 1000;

/** Whose partitions they are. */
export interface FetchHost {
  readonly onRecords: ConsumerHandlers['onRecords'];
  /** What cannot pass, or has not: nothing is fetched any more. */
  readonly onFail: (error: unknown) => void;
  readonly signal: AbortSignal;
}

export class Reading implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly lane: string;
  /** Of the next record; undefined until somebody says. */
  next: bigint | undefined;
  isPaused = false;
  /** Counts what was said of it: what is under way for what was said before is dropped. */
  turn = 0;
  /** What the brokers call its topic, once it has been read. */
  topicId: string | undefined;
  #troubledSince: number | undefined;
  #waitsUntil = 0;
  #waitMs = FIRST_WAIT_MS;

  constructor({ topic, partition }: TopicPartition) {
    this.topic = topic;
    this.partition = partition;
    this.lane = laneOf({ topic, partition });
  }

  get isDue(): boolean {
    return this.next !== undefined && !this.isPaused && runtime.now() >= this.#waitsUntil;
  }

  /** Since when it could not be fetched. */
  get troubledMs(): number {
    return this.#troubledSince === undefined ? 0 : runtime.now() - this.#troubledSince;
  }

  /** It is not due for a while, longer each time. @returns how long */
  wait(): number {
    const ms = this.#waitMs;
    this.#troubledSince ??= runtime.now();
    this.#waitsUntil = runtime.now() + ms;
    this.#waitMs = Math.min(2 * ms, LONGEST_WAIT_MS);
    return ms;
  }

  /** It could be fetched. */
  calm(topicId: string): void {
    this.topicId = topicId;
    this.#troubledSince = undefined;
    this.#waitMs = FIRST_WAIT_MS;
  }
}
