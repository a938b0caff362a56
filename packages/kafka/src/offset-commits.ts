/** The commits of a member: of partitions that are its own, of what moved, and each as the member that it is at the time. */

import { runtime } from '@streamweld/core/connector';
import type { Assignment } from './assignment.ts';
import type { KafkaConsumer, PartitionOffset } from './client.ts';
import { toKafkaError } from './errors.ts';
import { inTime } from './inquiry.ts';
import { backoffMs, mayPass } from './membership-verdicts.ts';
import { laneOf } from './position.ts';
import type { CheckedSourceOptions } from './source-options.ts';

/** Who commits. */
export interface Committing {
  consumer(): KafkaConsumer | undefined;
  /** Of each assignment it is another. */
  epoch(): number;
  /** Whether it is a member now; false where it will not be soon enough. @throws what it has failed for */
  untilMember(): Promise<boolean>;
  sleep(ms: number): Promise<void>;
}

export class OffsetCommits {
  readonly #assignment: Assignment;
  readonly #options: CheckedSourceOptions;
  readonly #host: Committing;
  readonly underWay: Set<Promise<void>> = new Set();

  constructor(assignment: Assignment, options: CheckedSourceOptions, host: Committing) {
    this.#assignment = assignment;
    this.#options = options;
    this.#host = host;
  }

  /** Goes on trying for as long as it may pass. @param offsets by lane; of lanes that are not its own they are left out */
  async commit(offsets: ReadonlyMap<string, bigint>): Promise<void> {
    const { name: stage, reconnectMs } = this.#options;
    const since = runtime.now();
    for (let waitMs = backoffMs(); ; waitMs = backoffMs(waitMs)) {
      if (!(await this.#host.untilMember())) return;
      const epoch = this.#host.epoch();
      const committing = this.once(offsets);
      this.underWay.add(committing);
      try {
        await committing;
        return;
      } catch (error) {
        const failure = toKafkaError(error, { action: 'commit offsets', stage });
        // Of what has ended in between the failure says nothing.
        const isFinal = epoch === this.#host.epoch() && !mayPass(failure);
        if (isFinal || runtime.now() - since > reconnectMs) throw failure;
      } finally {
        this.underWay.delete(committing);
      }
      await this.#host.sleep(waitMs);
    }
  }

  /** Before anything else, so that another begins there too; where it fails, it is told with the first that is read. */
  async starts(): Promise<void> {
    const starts = this.#assignment.queues.filter(({ committed, start }) => committed < start);
    const due = new Map(starts.map(({ lane, start }) => [lane, start]));
    await this.once(due).catch(() => {});
  }

  async once(offsets: ReadonlyMap<string, bigint>): Promise<void> {
    const { commitBy, requestTimeoutMs, name } = this.#options;
    if (commitBy === 'sink') return;
    const due: PartitionOffset[] = [];
    for (const [lane, offset] of offsets) {
      const queue = this.#assignment.get(lane);
      if (queue === undefined || offset <= queue.committed || offset > queue.handedOut) continue;
      due.push({ topic: queue.topic, partition: queue.partition, offset: String(offset) });
    }
    const consumer = this.#host.consumer();
    if (due.length === 0 || consumer === undefined) return;
    const epoch = this.#host.epoch();
    await inTime(requestTimeoutMs, 'commit offsets', name, consumer.commit(due));
    for (const to of due) {
      const queue = this.#assignment.get(laneOf(to));
      // What was begun anew in between knows better.
      if (queue !== undefined && (epoch === this.#host.epoch() || queue.handedOut >= BigInt(to.offset)))
        queue.committed = BigInt(to.offset);
    }
  }
}
