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
  PartitionOffset,
  TopicPartition,
} from './client.ts';
import { DeadlinePassed, within } from './deadline.ts';
import { isTransient, KafkaError, type KafkaErrorCode, toKafkaError } from './errors.ts';
import { Inquiry, inTime, leave } from './inquiry.ts';
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

/** A last commit waits no longer for a group that shares itself out anew: before that all was committed that was done soon. */
const STOP_MS = 500;

/** Opening waits no longer for the group. */
const OPEN_MS = 3000;

/** How often it looks whether the group has been heard of again. */
const LAPSED_MS = 100;

/** Who has read for so long had no trouble. */
const CALM_MS = 10_000;

const FIRST_BACKOFF_MS = 100;
const MOST_BACKOFF_MS = 2000;

/** What joining again puts right, or looks at more closely. */
const BY_JOINING = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'OFFSET_OUT_OF_RANGE',
]);

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
  readonly #committing = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #watch: TopicWatch;
  #again: unknown;
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
    this.#inquiry = new Inquiry(client, options, this.#closing.signal);
    this.#watch = new TopicWatch(this.#topics, this.#inquiry, options.metadataMaxAgeMs, {
      onChange: () => this.#renew(),
      // That brokers are away is told by whoever reads from them.
      onFail: (error) => {
        if (!this.#closing.signal.aborted && !this.#mayPass(error)) this.#giveUp(error);
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
        this.#troubledSince ??= runtime.now();
        this.#placement.doubt(this.#refusalOf(last));
        await this.#join(last, this.#troubledSince + patienceMs);
      }
    } catch (failure) {
      if (!this.#closing.signal.aborted) this.#giveUp(this.#hasRead ? this.#lostFor(failure) : failure);
    } finally {
      this.#isComingBack = false;
    }
  }

  /** What passes has not passed: says that it was there before, and for how long it has tried. */
  #lostFor(failure: unknown): unknown {
    if (!(failure instanceof KafkaError) || !failure.isTransient) return failure;
    const { code, message, kafkaError, topic, partition, stage, cause } = failure;
    const ms = Math.round(runtime.now() - (this.#troubledSince ?? runtime.now()));
    return new KafkaError(
      code as KafkaErrorCode,
      `'${this.#options.name}' lost its place in the group, and did not come back within ${ms} ms (reconnectMs is ${this.#options.reconnectMs}). ${message}`,
      {
        stage,
        kafkaError,
        topic,
        partition,
        isTransient: true,
        ...(cause === undefined ? undefined : { cause }),
      },
    );
  }

  /** Kafka's name for it, if it comes from a broker. */
  #refusalOf(error: unknown): string | undefined {
    if (error === undefined) return undefined;
    return (this.#translate(error, 'read from Kafka') as Partial<KafkaError>).kafkaError;
  }

  /** @throws StreamWeldError what cannot pass, or has not passed until then */
  async #join(error: unknown, until: number): Promise<void> {
    let last = error;
    for (let waitMs = FIRST_BACKOFF_MS; ; waitMs = Math.min(waitMs * 2, MOST_BACKOFF_MS)) {
      await this.#leave(last !== undefined);
      if (last !== undefined) {
        const failure = this.#translate(last, 'read from Kafka');
        if (!this.#mayPass(failure) || runtime.now() > until) throw failure;
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
    for (let waitMs = FIRST_BACKOFF_MS; ; waitMs = Math.min(waitMs * 2, MOST_BACKOFF_MS)) {
      try {
        const places =
          partitions.length === 0
            ? []
            : await this.#inquiry.ask((admin) => findPlaces(admin, partitions, this.#options));
        if (epoch !== this.#epoch) return;
        this.#placement.place(places);
        await this.#commitStarts();
        if (epoch !== this.#epoch) return;
        for (const queue of this.#assignment.queues) this.#fetch(queue);
        this.#moveTo('reading');
        return;
      } catch (error) {
        if (epoch !== this.#epoch) return;
        if (!this.#mayPass(error)) {
          this.#giveUp(error);
          return;
        }
      }
      await this.#sleep(waitMs);
      if (epoch !== this.#epoch) return;
    }
  }

  /** Before anything else, so that another begins there too; where it fails, it is told with the first that is read. */
  async #commitStarts(): Promise<void> {
    const starts = this.#assignment.queues.filter(({ committed, start }) => committed < start);
    const due = new Map(starts.map(({ lane, start }) => [lane, start]));
    await this.#commitOnce(due).catch(() => {});
  }

  #fetch(queue: PartitionQueue): void {
    const { topic, partition, next } = queue;
    this.#consumer?.seek({ topic, partition, offset: String(next) });
    queue.isPaused = this.#assignment.isFull(queue);
    if (queue.isPaused) this.#consumer?.pause(queue);
  }

  #receive(fetched: FetchedRecords): Promise<void> | undefined {
    if (this.#phase === 'settling') return undefined;
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
    const draining = Promise.allSettled([...settling, ...this.#committing]);
    await within(this.#options.drainMs, draining).catch(() => {});
    if (epoch !== this.#epoch) return;
    const due = new Map(done.map(({ lane, handedOut }) => [lane, handedOut]));
    const leftMs = Math.max(until - runtime.now(), this.#options.drainMs / 10);
    // What is not committed here comes again, there or here.
    await within(leftMs, this.#commitOnce(due)).catch(() => {});
    if (epoch === this.#epoch) this.#moveTo('joining');
  }

  /** Commits what lies in partitions that are ours, and goes on trying for as long as it may pass. */
  async commit(offsets: ReadonlyMap<string, bigint>): Promise<void> {
    const since = runtime.now();
    for (let waitMs = FIRST_BACKOFF_MS; ; waitMs = Math.min(waitMs * 2, MOST_BACKOFF_MS)) {
      while ((this.#phase === 'joining' || this.#phase === 'settling') && this.#failure === undefined) {
        if (!this.#isStopping) await this.#ready.promise;
        else if (!(await this.#isSoonReady())) return;
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#phase === 'closed') return;
      const epoch = this.#epoch;
      const committing = this.#commitOnce(offsets);
      this.#committing.add(committing);
      try {
        await committing;
        return;
      } catch (error) {
        const failure = this.#translate(error, 'commit offsets');
        // Of what has ended in between the failure says nothing.
        const isFinal = epoch === this.#epoch && !this.#mayPass(failure);
        if (isFinal || runtime.now() - since > this.#options.reconnectMs) throw failure;
      } finally {
        this.#committing.delete(committing);
      }
      await this.#sleep(waitMs);
    }
  }

  async #isSoonReady(): Promise<boolean> {
    try {
      await within(STOP_MS, this.#ready.promise);
      return true;
    } catch {
      return false;
    }
  }

  /** Nothing more is taken: a last commit follows, and waits no longer than a moment for a group that waits for others. */
  stop(): void {
    this.#isStopping = true;
    if (this.#phase !== 'joining' && this.#phase !== 'settling') return;
    // Whoever waits looks again.
    this.#ready.resolve();
    this.#ready = new Deferred();
  }

  async #commitOnce(offsets: ReadonlyMap<string, bigint>): Promise<void> {
    if (this.#options.commitBy === 'sink') return;
    const due: PartitionOffset[] = [];
    for (const [lane, offset] of offsets) {
      const queue = this.#assignment.get(lane);
      if (queue === undefined || offset <= queue.committed || offset > queue.handedOut) continue;
      due.push({ topic: queue.topic, partition: queue.partition, offset: String(offset) });
    }
    const consumer = this.#consumer;
    if (due.length === 0 || consumer === undefined) return;
    const epoch = this.#epoch;
    const { requestTimeoutMs, name } = this.#options;
    await inTime(requestTimeoutMs, 'commit offsets', name, consumer.commit(due));
    for (const to of due) {
      const queue = this.#assignment.get(laneOf(to));
      // What was begun anew in between knows better.
      if (queue !== undefined && (epoch === this.#epoch || queue.handedOut >= BigInt(to.offset)))
        queue.committed = BigInt(to.offset);
    }
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

  #mayPass(error: unknown): boolean {
    const { kafkaError, code } = error as Partial<KafkaError>;
    if (code === 'SW_KAFKA_OFFSET_OUT_OF_RANGE') return false;
    return isTransient(error) || (kafkaError !== undefined && BY_JOINING.has(kafkaError));
  }

  #translate(error: unknown, action: string): unknown {
    return toKafkaError(error, { action, stage: this.#options.name });
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
