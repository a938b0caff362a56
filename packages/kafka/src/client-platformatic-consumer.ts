/**
 * The adapter of a consumer over `@platformatic/kafka`:
 *
 *     joining ──► member ──► revoking ──► joining …
 *              assigned   heartbeat    onRevoked has settled; it says all the while that it lives
 *
 * P9 The consumer of the client joins again the moment it hears of a rebalance, and nothing can hold it up; its commits join again
 * by themselves, and commit what is somebody else's by then; it asks the same coordinator for ever. So it is not used.
 */

import { Deferred, onAbort, runtime } from '@streamweld/core/connector';
import type {
  ConsumerHandlers,
  ConsumerOptions,
  KafkaConsumer,
  PartitionOffset,
  TopicPartition,
} from './client.ts';
import { Patience } from './patience.ts';
import type { Cluster } from './client-platformatic-cluster.ts';
import { isElsewhere, refusalOf } from './client-platformatic-errors.ts';
import { Fetcher } from './client-platformatic-fetch.ts';
import { Member } from './client-platformatic-member.ts';

/** How long what failed on the way into the group is tried again. */
const JOIN_MS = 10_000;

/** What a member that is none any more is told. */
const LOST = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION']);

export class PlatformaticConsumer implements KafkaConsumer {
  readonly #cluster: Cluster;
  readonly #options: ConsumerOptions;
  readonly #member: Member;
  readonly #given = new AbortController();
  #fetcher: Fetcher | undefined;
  #handlers: ConsumerHandlers | undefined;
  #topics: readonly string[] = [];
  #hasJoined = false;

  constructor(cluster: Cluster, options: ConsumerOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#member = new Member(cluster, options);
  }

  get memberId(): string | undefined {
    return this.#member.id;
  }

  get confirmedAt(): number | undefined {
    return this.#member.confirmedAt;
  }

  async start(topics: readonly string[], handlers: ConsumerHandlers): Promise<void> {
    this.#topics = topics;
    this.#handlers = handlers;
    this.#fetcher = new Fetcher(this.#cluster, this.#options, {
      signal: this.#given.signal,
      onRecords: (fetched) => handlers.onRecords(fetched),
      onFail: (error) => this.#end(error),
    });
    await this.#join();
    void this.#live();
  }

  pause(partition: TopicPartition): void {
    this.#fetcher?.pause(partition);
  }

  resume(partition: TopicPartition): void {
    this.#fetcher?.resume(partition);
  }

  seek(to: PartitionOffset): void {
    this.#fetcher?.seek(to);
  }

  commit(offsets: readonly PartitionOffset[]): Promise<void> {
    return this.#member.commit(offsets);
  }

  async close(): Promise<void> {
    this.#leave();
    await this.#member.leave();
    this.#cluster.wire.cut();
  }

  /** @throws what cannot pass, or has not */
  async #join(): Promise<void> {
    const patience = new Patience(JOIN_MS, this.#given.signal);
    for (;;) {
      try {
        const partitions = await this.#member.join(this.#topics);
        if (this.#given.signal.aborted) return;
        this.#hasJoined = true;
        this.#fetcher?.assign(partitions);
        this.#handlers?.onAssigned(partitions);
        return;
      } catch (error) {
        if (!mayPass(error) || !(await patience.wait())) throw error;
      }
    }
  }

  /** Until it is closed, or has ended. */
  async #live(): Promise<void> {
    const { signal } = this.#given;
    try {
      while (!signal.aborted) {
        await this.#untilRevoked();
        if (signal.aborted) return;
        // What is under way is nobody's any more.
        this.#fetcher?.assign([]);
        const revoked = new AbortController();
        const living = this.#liveOn(revoked.signal);
        await this.#handlers?.onRevoked();
        revoked.abort();
        await living;
        if (signal.aborted) return;
        await this.#join();
      }
    } catch (error) {
      this.#end(error);
    }
  }

  /** Says that it lives, until the group shares its partitions out anew, or has to. */
  async #untilRevoked(): Promise<void> {
    const { heartbeatMs, metadataMaxAgeMs } = this.#options;
    let lookedAt = runtime.now();
    for (;;) {
      await this.#sleep(heartbeatMs, this.#given.signal);
      if (this.#given.signal.aborted || (await this.#isToJoin())) return;
      if (runtime.now() - lookedAt < metadataMaxAgeMs) continue;
      lookedAt = runtime.now();
      // That the brokers are away is told by the next heartbeat.
      if (await this.#member.isOutdated().catch(() => false)) return;
    }
  }

  /** Says that it lives while what was in flight is being done. */
  async #liveOn(until: AbortSignal): Promise<void> {
    while (!until.aborted && !this.#given.signal.aborted) {
      await this.#sleep(this.#options.heartbeatMs, until);
      if (until.aborted || this.#given.signal.aborted) return;
      // Whatever it hears of the group: it is about to join again.
      await this.#isToJoin().catch(() => {});
    }
  }

  /** @throws what has not passed for as long as the group waits for a sign of life */
  async #isToJoin(): Promise<boolean> {
    const { sessionTimeoutMs, heartbeatMs } = this.#options;
    try {
      // One that is lost leaves time for others.
      await this.#member.heartbeat(Math.max(heartbeatMs, sessionTimeoutMs / 3));
      return false;
    } catch (error) {
      const type = refusalOf(error) ?? '';
      if (type === 'REBALANCE_IN_PROGRESS' || LOST.has(type)) return true;
      const silentMs = runtime.now() - (this.#member.confirmedAt ?? 0);
      if (!mayPass(error) || silentMs > sessionTimeoutMs) throw error;
      return false;
    }
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const over = new Deferred();
    const timer = runtime.setTimer(over.resolve, ms);
    const forget = [signal, this.#given.signal].map((each) => onAbort(each, () => over.resolve()));
    if (signal.aborted || this.#given.signal.aborted) over.resolve();
    await over.promise;
    for (const each of forget) each();
    runtime.clearTimer(timer);
  }

  #end(error: unknown): void {
    if (this.#given.signal.aborted) return;
    this.#leave();
    // Of one that never joined the start has failed, and tells it.
    if (this.#hasJoined) this.#handlers?.onEnd(error);
  }

  #leave(): void {
    this.#given.abort(new Error('The consumer has ended.'));
    this.#fetcher?.assign([]);
  }
}

function mayPass(error: unknown): boolean {
  return isElsewhere(error) || refusalOf(error) === 'GROUP_LOAD_IN_PROGRESS';
}
