/**
 * A member of a group, and what it may read: it comes back when it is lost, and keeps what it has fetched of the partitions
 * that stay its own.
 *
 *     joining ──► settling ──► reading ──► draining ──► joining …      closed, from anywhere
 *             assigned     places     revoked      drained
 *
 * Each assignment is an epoch. What an earlier one still brings, of a look-up or a commit, is dropped. Records are handed out
 * while it reads, and not before it knows which partitions are its own.
 */

import { Deferred, onAbort, runtime } from '@streamweld/core/connector';
import { Assignment } from './assignment.ts';
import type {
  ConsumerHandlers,
  FetchedRecords,
  KafkaClient,
  KafkaConsumer,
  TopicPartition,
} from './client.ts';
import { DeadlinePassed, within } from './deadline.ts';
import { toKafkaError } from './errors.ts';
import { Inquiry, inTime, leave } from './inquiry.ts';
import { backoffMs, lostFor, mayPass, refusalOf } from './membership-verdicts.ts';
import { OffsetCommits } from './offset-commits.ts';
import type { PartitionQueue, Taken } from './partition-queue.ts';
import { Placement } from './placement.ts';
import { laneOf } from './position.ts';
import type { CheckedSourceOptions } from './source-options.ts';
import { findPlaces } from './start-offsets.ts';
import { TopicList } from './topic-list.ts';
import { TopicWatch } from './topic-watch.ts';

/** Whose records it reads. */
export interface MembershipHost {
  /** Settles when all that was handed out in this lane is done. */
  settled(lane: string): Promise<void>;
  /** What is not done in this lane is nobody's business any more. */
  endLane(lane: string): void;
  /** There may be something to take. */
  onMore(): void;
  onFail(error: unknown): void;
}

/** How long a fetch waits for records: stopping waits for it. */
const FETCH_WAIT_MS = 100;

/** Opening waits no longer for the group. */
const OPEN_MS = 3000;

/** What a broker says of an offset it says sooner. */
const ASK_MS = 2000;

/** How often it looks whether the group has been heard of again. */
const LAPSED_MS = 100;

/** Who has read for so long had no trouble. */
const CALM_MS = 10_000;

type Phase = 'joining' | 'settling' | 'reading' | 'draining' | 'closed';

export class Membership {
  readonly #client: KafkaClient;
  readonly #options: CheckedSourceOptions;
  readonly #host: MembershipHost;
  readonly #assignment: Assignment;
  readonly #placement: Placement;
  readonly #topics: TopicList;
  readonly #inquiry: Inquiry;
  #phase: Phase = 'joining';
  #epoch = 0;
  #consumer: KafkaConsumer | undefined;
  /** What the group calls the one that was lost. */
  #memberId: string | undefined;
  /** Settles when it reads, or is closed. */
  #ready = new Deferred();
  readonly #commits: OffsetCommits;
  readonly #closing = new AbortController();
  readonly #watch: TopicWatch;
  #again: unknown;
  /** It fetches already, and waits whether a broker refuses an offset. */
  #isAsking = false;
  /** Since when it does not read for long, whatever it tries. */
  #troubledSince: number | undefined;
  #readingSince = 0;
  /** Why it has to come back, once more where it is about to. */
  #lost: { readonly error: unknown } | undefined;
  #isComingBack = false;
  #hasRead = false;
  /** Nothing more is read: what cannot be committed soon comes again elsewhere. */
  #isStopping = false;
  #failure: { readonly error: unknown } | undefined;
  /** Until it is open, it is the opening that fails. */
  #fail: (error: unknown) => void = () => {};

  constructor(
    client: KafkaClient,
    options: CheckedSourceOptions,
    resumes: ReadonlyMap<string, bigint>,
    host: MembershipHost,
  ) {
    this.#client = client;
    this.#options = options;
    this.#host = host;
    this.#assignment = new Assignment(options, () => this.#consumer);
    this.#topics = new TopicList(options.topics, options.name);
    this.#placement = new Placement(this.#assignment, this.#topics, options, resumes, (lane) =>
      host.endLane(lane),
    );
    this.#commits = new OffsetCommits(this.#assignment, options, {
      consumer: () => this.#consumer,
      epoch: () => this.#epoch,
      untilMember: () => this.#untilMember(),
      sleep: (ms) => this.#sleep(ms),
    });
    this.#inquiry = new Inquiry(client, options, this.#closing.signal);
    this.#watch = new TopicWatch(this.#topics, this.#inquiry, options.metadataMaxAgeMs, {
      onChange: () => this.#renew(),
      // That brokers are away is told by whoever reads from them.
      onFail: (error) => {
        if (!this.#closing.signal.aborted && !mayPass(error)) this.#giveUp(error);
      },
    });
  }

  /** Resolves when it has joined and knows where its partitions begin, or takes long to join. */
  async open(): Promise<void> {
    const opened = new Deferred();
    this.#fail = opened.reject;
    await this.#inquiry.ask((admin) => this.#topics.find(admin));
    if (this.#topics.names.length > 0) {
      this.#ready.promise.then(opened.resolve, opened.reject);
      void this.#comeBack(undefined, this.#options.connectTimeoutMs);
      try {
        await within(OPEN_MS, opened.promise);
      } catch (error) {
        // The group may wait long for others. That goes on, and whoever reads can be drained meanwhile.
        if (!(error instanceof DeadlinePassed)) throw error;
      }
    }
    this.#fail = (error) => this.#host.onFail(error);
    this.#watch.begin();
  }

  get queues(): readonly PartitionQueue[] {
    return this.#assignment.queues;
  }

  /** Up to so many records of one partition; undefined where there are none now. */
  take(demand: number): (Taken & { readonly queue: PartitionQueue }) | undefined {
    return this.#phase === 'reading' && !this.#hasLapsed() ? this.#assignment.take(demand) : undefined;
  }

  /** Of whom the group has not heard for so long it may have given the partitions to others. */
  #hasLapsed(): boolean {
    const at = this.#consumer?.confirmedAt;
    if (at === undefined || runtime.now() - at < this.#options.sessionTimeoutMs) return false;
    this.#again ??= runtime.setTimer(() => {
      this.#again = undefined;
      this.#host.onMore();
    }, LAPSED_MS);
    return true;
  }

  // Joining

  async #start(): Promise<void> {
    const { groupId, sessionTimeoutMs, rebalanceTimeoutMs, metadataMaxAgeMs, maxBytes } = this.#options;
    const consumer = this.#client.createConsumer({
      groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      heartbeatMs: Math.min(3000, Math.floor(sessionTimeoutMs / 10)),
      maxBytes: Math.max(1 << 16, Math.min(10 << 20, maxBytes >> 2)),
      maxPartitionBytes: Math.max(1 << 14, Math.min(1 << 20, maxBytes >> 3)),
      maxWaitMs: FETCH_WAIT_MS,
      metadataMaxAgeMs,
      readsUncommitted: this.#options.readUncommitted,
      memberId: this.#memberId,
    });
    this.#consumer = consumer;
    const isOurs = (): boolean => consumer === this.#consumer && this.#phase !== 'closed';
    const handlers: ConsumerHandlers = {
      onAssigned: (partitions) => {
        if (isOurs()) void this.#assigned(partitions);
      },
      onRevoked: async () => {
        if (isOurs()) await this.#drain();
      },
      onRecords: (fetched) => (isOurs() ? this.#receive(fetched) : undefined),
      onEnd: (error) => {
        if (isOurs()) void this.#comeBack(error);
      },
    };
    // The group may wait for members that have gone, and for those who are slow to join.
    const ms = this.#options.connectTimeoutMs + sessionTimeoutMs + rebalanceTimeoutMs;
    const starting = consumer.start(this.#topics.names, handlers);
    await inTime(ms, 'join the group', this.#options.name, starting, this.#closing.signal);
  }

  /** Whatever ended the consumer: another takes its place, as long as that may help. One at a time, or two would stay. */
  async #comeBack(error: unknown, patienceMs: number = this.#options.reconnectMs): Promise<void> {
    this.#moveTo('joining');
    this.#lost = { error };
    if (this.#isComingBack) return;
    this.#isComingBack = true;
    try {
      while (this.#lost !== undefined) {
        const { error: last } = this.#lost;
        this.#lost = undefined;
        // What the one before was given is not settled any more.
        this.#moveTo('joining');
        this.#troubledSince ??= runtime.now();
        this.#placement.doubt(refusalOf(last, this.#options.name));
        await this.#join(last, this.#troubledSince + patienceMs);
      }
    } catch (failure) {
      if (!this.#closing.signal.aborted) this.#giveUp(this.#told(failure));
    } finally {
      this.#isComingBack = false;
    }
  }

  /** Of one that was there before it is told. */
  #told(failure: unknown): unknown {
    const ms = runtime.now() - (this.#troubledSince ?? runtime.now());
    return this.#hasRead ? lostFor(ms, failure, this.#options) : failure;
  }

  /** @throws StreamWeldError what cannot pass, or has not passed until then */
  async #join(error: unknown, until: number): Promise<void> {
    let last = error;
    for (let waitMs = backoffMs(); ; waitMs = backoffMs(waitMs)) {
      await this.#leave(last !== undefined);
      if (last !== undefined) {
        const failure = toKafkaError(last, { action: 'read from Kafka', stage: this.#options.name });
        if (!mayPass(failure) || runtime.now() > until) throw failure;
        await this.#sleep(waitMs);
      }
      this.#closing.signal.throwIfAborted();
      try {
        // The first time `open` has just looked.
        if (last !== undefined) await this.#inquiry.ask((admin) => this.#topics.find(admin));
        await this.#start();
        return;
      } catch (failure) {
        this.#closing.signal.throwIfAborted();
        last = failure;
      }
    }
  }

  #giveUp(failure: unknown): void {
    this.#failure ??= { error: failure };
    this.#ready.resolve();
    this.#fail(failure);
  }

  /** @param isLost it ended by itself: the group may not know, and take the next one for it. */
  async #leave(isLost: boolean): Promise<void> {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    if (consumer !== undefined) this.#memberId = isLost ? (consumer.memberId ?? this.#memberId) : undefined;
    if (consumer !== undefined) await leave(consumer);
  }

  // The partitions

  async #assigned(partitions: readonly TopicPartition[]): Promise<void> {
    this.#moveTo('settling');
    const epoch = this.#epoch;
    const lanes = new Set(partitions.map(laneOf));
    this.#placement.keepOnly(lanes);
    for (let waitMs = backoffMs(); ; waitMs = backoffMs(waitMs)) {
      try {
        const places =
          partitions.length === 0
            ? []
            : await this.#inquiry.ask((admin) => findPlaces(admin, partitions, this.#options));
        if (epoch !== this.#epoch) return;
        this.#placement.place(places);
        await this.#commits.starts();
        if (epoch !== this.#epoch) return;
        for (const queue of this.#assignment.queues) this.#fetch(queue);
        if (this.#placement.isInQuestion) {
          // A broker refuses at once what is not there: nothing is handed out before it has had the time.
          this.#isAsking = true;
          await this.#sleep(ASK_MS);
          if (epoch !== this.#epoch) return;
        }
        this.#moveTo('reading');
        return;
      } catch (error) {
        if (epoch !== this.#epoch) return;
        if (!mayPass(error)) {
          this.#giveUp(error);
          return;
        }
      }
      await this.#sleep(waitMs);
      if (epoch !== this.#epoch) return;
    }
  }

  #fetch(queue: PartitionQueue): void {
    const { topic, partition, next } = queue;
    this.#consumer?.seek({ topic, partition, offset: String(next) });
    queue.isPaused = this.#assignment.isFull(queue);
    if (queue.isPaused) this.#consumer?.pause(queue);
  }

  #receive(fetched: FetchedRecords): Promise<void> | undefined {
    if (this.#phase === 'settling' && !this.#isAsking) return undefined;
    const room = this.#assignment.put(fetched);
    this.#host.onMore();
    return room;
  }

  // What is done

  /** Before the partitions are given up: what was handed out is to be done and committed, if that is soon. */
  async #drain(): Promise<void> {
    this.#moveTo('draining');
    const epoch = this.#epoch;
    const done: PartitionQueue[] = [];
    const settling = this.#assignment.queues.map(async (queue) => {
      await this.#host.settled(queue.lane);
      done.push(queue);
    });
    const until = runtime.now() + this.#options.drainMs;
    const draining = Promise.allSettled([...settling, ...this.#commits.underWay]);
    await within(this.#options.drainMs, draining).catch(() => {});
    if (epoch !== this.#epoch) return;
    const due = new Map(done.map(({ lane, handedOut }) => [lane, handedOut]));
    const leftMs = Math.max(until - runtime.now(), this.#options.drainMs / 10);
    // What is not committed here comes again, there or here.
    await within(leftMs, this.#commits.once(due)).catch(() => {});
    if (epoch === this.#epoch) this.#moveTo('joining');
  }

  /** Commits what lies in partitions that are ours, and goes on trying for as long as it may pass. */
  commit(offsets: ReadonlyMap<string, bigint>): Promise<void> {
    return this.#commits.commit(offsets);
  }

  /** Whether it is a member now, or soon; if it is not, what was to be committed comes again elsewhere. @throws what it has failed for */
  async #untilMember(): Promise<boolean> {
    while ((this.#phase === 'joining' || this.#phase === 'settling') && this.#failure === undefined) {
      if (!this.#isStopping) await this.#ready.promise;
      else if (!(await this.#isSoonReady())) {
        // As if they had been taken away: what was not committed before the group began to share itself out comes again.
        this.#placement.keepOnly(new Set());
        return false;
      }
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#phase !== 'closed';
  }

  async #isSoonReady(): Promise<boolean> {
    try {
      await within(this.#options.drainMs, this.#ready.promise);
      return true;
    } catch {
      return false;
    }
  }

  /** Nothing more is taken: a last commit follows, which waits no longer than `drainMs` for a group that waits for others. */
  stop(): void {
    this.#isStopping = true;
    if (this.#phase !== 'joining' && this.#phase !== 'settling') return;
    // Whoever waits looks again.
    this.#ready.resolve();
    this.#ready = new Deferred();
  }

  /** Of the topics: it subscribes once, and for others it has to leave and come back. */
  async #renew(): Promise<void> {
    if (this.#phase === 'reading') await this.#drain();
    if (this.#phase !== 'closed') await this.#comeBack(undefined);
  }

  #moveTo(phase: Phase): void {
    if (this.#phase === 'closed') return;
    const now = runtime.now();
    if (this.#phase === 'reading' && now - this.#readingSince > CALM_MS) this.#troubledSince = undefined;
    this.#phase = phase;
    // A drain belongs to the epoch that it ends.
    if (phase !== 'reading') this.#epoch += 1;
    this.#isAsking = false;
    if (phase === 'reading' || phase === 'closed') {
      this.#ready.resolve();
      this.#ready = new Deferred();
    }
    if (phase === 'reading') {
      this.#hasRead = true;
      this.#readingSince = now;
      this.#host.onMore();
    }
  }

  async #sleep(ms: number): Promise<void> {
    const over = new Deferred();
    const timer = runtime.setTimer(over.resolve, ms);
    const forget = onAbort(this.#closing.signal, () => over.resolve());
    await over.promise;
    forget();
    runtime.clearTimer(timer);
  }

  async close(): Promise<void> {
    if (this.#phase !== 'closed') {
      this.#moveTo('closed');
      this.#closing.abort(new Error('The source was closed.'));
      this.#watch.end();
      runtime.clearTimer(this.#again);
      this.#assignment.clear();
    }
    await this.#leave(false);
    await this.#inquiry.left();
  }
}
