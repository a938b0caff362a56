/**
 * The adapter of a consumer of kafkajs. What kafkajs does by itself and must not, or does not and must, is put right here, and
 * between it and its cluster:
 *
 *  - It commits and resolves by itself: both are off, and each commit is one attempt as one member of one generation. Its own
 *    `commitOffsets` tries again after the group was shared out anew, and would then commit what is somebody else's.
 *  - It restarts by itself for some failures and stops without a word for others. Here each of them ends it, and so does a
 *    loop that shows no sign of life.
 *  - Its assigner gives partitions to members that have not subscribed to their topic, where nobody reads them.
 */

import { Deferred, runtime } from '@streamweld/core/connector';
import kafkajs, {
  type Cluster,
  type Consumer,
  type EachBatchPayload,
  type GroupMember,
  type GroupMemberAssignment,
  type Kafka,
  type KafkaMessage,
  type Offsets,
} from 'kafkajs';
import { assignPartitions, type Subscriber } from './assigner.ts';
import type {
  ConsumerHandlers,
  ConsumerOptions,
  Headers,
  IncomingRecord,
  KafkaConsumer,
  PartitionOffset,
  TopicPartition,
} from './client.ts';
import { type ClusterHooks, guardCluster } from './client-kafkajs-cluster.ts';
import { disconnect } from './client-kafkajs-ending.ts';
import { laneOf } from './position.ts';
import type { Sockets } from './sockets.ts';

/** How often what failed is tried before the consumer ends: for about ten seconds. */
const RETRY = { retries: 8, initialRetryTime: 100, maxRetryTime: 2000 } as const;

/** How many partitions of one fetch may wait for room at once: what one of them waits for holds up none of the others. */
const CALLS_AT_ONCE = 16;

export function createConsumer(kafka: Kafka, sockets: Sockets, options: ConsumerOptions): KafkaConsumer {
  return new KafkajsConsumer(kafka, sockets, options);
}

class KafkajsConsumer implements KafkaConsumer {
  readonly #consumer: Consumer;
  readonly #sockets: Sockets;
  readonly #hooks: ClusterHooks;
  #memberId: string | undefined;
  #handlers: ConsumerHandlers | undefined;
  /** It has joined, and has not given its partitions up again. */
  #isMember = false;
  #hasJoined = false;
  #hasRead = false;
  #isOver = false;
  /** Lanes that a `seek` came for since the last join. */
  readonly #sought = new Set<string>();
  /** Settles when the first of them has come, or is waited for no longer. */
  #placed: Promise<void> | undefined;
  #stopWaiting: () => void = () => {};
  readonly #maxWaitMs: number;
  /** Commits as the member that it is now, and once: kafkajs hands it out with a batch. */
  #commitOnce: ((offsets: Offsets) => Promise<void>) | undefined;
  /** A loop that has not begun a fetch as a member for so long has stalled: joining takes no longer. */
  readonly #stalledMs: number;
  #livedAt = 0;
  #confirmedAt: number | undefined;
  #watch: unknown;

  constructor(kafka: Kafka, sockets: Sockets, options: ConsumerOptions) {
    this.#sockets = sockets;
    this.#maxWaitMs = options.maxWaitMs;
    this.#stalledMs = 2 * (options.rebalanceTimeoutMs + options.sessionTimeoutMs);
    this.#hooks = {
      formerId: options.memberId,
      onJoin: async () => {
        if (!this.#isMember || this.#isOver) return;
        this.#isMember = false;
        this.#stopWaiting();
        await this.#handlers?.onRevoked();
      },
      isJoiningAgain: () => this.#hasJoined && !this.#isMember && !this.#isOver,
      onUnknown: (error) => {
        // One that was just made may not be known to every broker.
        if (this.#hasRead) this.#end(error);
      },
      onFetch: () => this.#placed,
    };
    this.#consumer = kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: options.rebalanceTimeoutMs,
      heartbeatInterval: options.heartbeatMs,
      maxBytes: options.maxBytes,
      maxBytesPerPartition: options.maxPartitionBytes,
      maxWaitTimeInMs: options.maxWaitMs,
      metadataMaxAge: options.metadataMaxAgeMs,
      readUncommitted: options.readsUncommitted,
      // Else whoever reads a topic that was deleted makes it again.
      allowAutoTopicCreation: false,
      retry: { ...RETRY, restartOnFailure: () => Promise.resolve(false) },
      partitionAssigners: [
        ({ cluster }) => {
          guardCluster(cluster, this.#hooks);
          return {
            // That of kafkajs: members of both kinds may be in one group.
            name: 'RoundRobinAssigner',
            version: 0,
            protocol: ({ topics }) => ({
              name: 'RoundRobinAssigner',
              metadata: kafkajs.AssignerProtocol.MemberMetadata.encode({
                version: 0,
                topics,
                userData: Buffer.alloc(0),
              }),
            }),
            assign: ({ members }) => assign(cluster, members),
          };
        },
      ],
    });
  }

  get confirmedAt(): number | undefined {
    return this.#confirmedAt;
  }

  get memberId(): string | undefined {
    return this.#memberId;
  }

  async start(topics: readonly string[], handlers: ConsumerHandlers): Promise<void> {
    this.#handlers = handlers;
    const consumer = this.#consumer;
    const { events } = consumer;
    const joined = new Deferred();
    consumer.on(events.GROUP_JOIN, ({ payload }) => {
      this.#memberId = payload.memberId;
      this.#hooks.formerId = undefined;
      this.#joined(payload.memberAssignment);
      joined.resolve();
    });
    consumer.on(events.CRASH, ({ payload }) => {
      joined.reject(payload.error);
      this.#end(payload.error);
    });
    // What has nothing to be seen in it comes to no callback.
    consumer.on(events.END_BATCH_PROCESS, ({ payload }) => {
      const { topic, partition, batchSize, firstOffset, lastOffset, highWatermark } = payload;
      if (batchSize > 0 || firstOffset === null || !this.#sought.has(laneOf(payload))) return;
      void handlers.onRecords({
        topic,
        partition,
        records: [],
        first: firstOffset,
        next: behind(lastOffset),
        highWatermark,
      });
    });
    consumer.on(events.HEARTBEAT, () => {
      this.#confirmedAt = runtime.now();
    });
    consumer.on(events.FETCH_START, () => {
      // Who has given its partitions up and not joined again fetches for nobody.
      if (this.#isMember) this.#livedAt = runtime.now();
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: CALLS_AT_ONCE,
      eachBatch: (payload) => this.#take(payload),
    });
    await joined.promise;
  }

  /** Called by kafkajs in the middle of joining: nothing was fetched yet as the new member. */
  #joined(assignment: Readonly<Record<string, number[]>>): void {
    const partitions = Object.entries(assignment).flatMap(([topic, numbers]) =>
      numbers.map((partition): TopicPartition => ({ topic, partition })),
    );
    this.#isMember = true;
    this.#hasJoined = true;
    this.#sought.clear();
    for (const partition of partitions) this.pause(partition);
    if (partitions.length > 0) this.#waitForSeek();
    this.#livedAt = runtime.now();
    this.#confirmedAt = this.#livedAt;
    if (this.#watch === undefined) this.#look();
    this.#handlers?.onAssigned(partitions);
  }

  /** As long as kafkajs would sleep, at the most: who fetches tells the group that it lives. */
  #waitForSeek(): void {
    this.#stopWaiting();
    const { promise, resolve } = new Deferred();
    const timer = runtime.setTimer(() => this.#stopWaiting(), this.#maxWaitMs);
    this.#placed = promise;
    this.#stopWaiting = () => {
      runtime.clearTimer(timer);
      this.#placed = undefined;
      resolve();
    };
  }

  async #take(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const { topic, partition, messages, highWatermark } = batch;
    this.#hasRead = true;
    this.#commitOnce = (offsets) => payload.commitOffsetsIfNecessary(offsets);
    if (this.#isOver || !payload.isRunning() || payload.isStale() || !this.#sought.has(laneOf(batch))) return;
    try {
      const records = toRecords(topic, partition, messages);
      const { offset } = messages.at(-1) as KafkaMessage;
      // Of the last that is to be seen it resolves all that was fetched.
      payload.resolveOffset(offset);
      const { offset: first } = messages[0] as KafkaMessage;
      const next = behind(batch.lastOffset());
      const taken = this.#handlers?.onRecords({ topic, partition, records, first, next, highWatermark });
      if (taken !== undefined) await taken;
    } catch (error) {
      // What is thrown here kafkajs would answer with the same batch again, for ever.
      this.#end(error);
    }
  }

  pause({ topic, partition }: TopicPartition): void {
    if (!this.#isOver) this.#consumer.pause([{ topic, partitions: [partition] }]);
  }

  resume({ topic, partition }: TopicPartition): void {
    if (!this.#isOver) this.#consumer.resume([{ topic, partitions: [partition] }]);
  }

  seek(to: PartitionOffset): void {
    if (this.#isOver) return;
    this.#consumer.seek({ ...to });
    this.#sought.add(laneOf(to));
    this.resume(to);
    this.#stopWaiting();
  }

  async commit(offsets: readonly PartitionOffset[]): Promise<void> {
    if (this.#isOver) throw new Error('The consumer has ended.');
    if (this.#commitOnce === undefined) {
      await this.#consumer.commitOffsets(offsets.map((offset) => ({ ...offset })));
      return;
    }
    const topics = [...new Set(offsets.map(({ topic }) => topic))].map((topic) => ({
      topic,
      partitions: offsets.filter((offset) => offset.topic === topic),
    }));
    await this.#commitOnce({ topics });
  }

  /** A loop that neither fetches nor ends. */
  #look(): void {
    this.#watch = runtime.setTimer(() => {
      this.#watch = undefined;
      if (this.#isOver) return;
      if (runtime.now() - this.#livedAt > this.#stalledMs) this.#end(stalled());
      else this.#look();
    }, this.#stalledMs / 4);
  }

  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#leave();
    // Of one that never joined the start has failed, and tells it.
    if (this.#hasJoined) this.#handlers?.onEnd(error);
  }

  #leave(): void {
    this.#isOver = true;
    this.#stopWaiting();
    runtime.clearTimer(this.#watch);
  }

  async close(): Promise<void> {
    this.#leave();
    await disconnect(this.#consumer);
    this.#sockets.cut();
  }
}

async function assign(cluster: Cluster, members: readonly GroupMember[]): Promise<GroupMemberAssignment[]> {
  const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;
  const subscribers = members.map(
    ({ memberId, memberMetadata }): Subscriber => ({
      id: memberId,
      topics: new Set(MemberMetadata.decode(memberMetadata)?.topics),
    }),
  );
  // Who leads may not have subscribed to all that the others have.
  await cluster.addMultipleTargetTopics([...new Set(subscribers.flatMap(({ topics }) => [...topics]))]);
  const shares = assignPartitions(subscribers, (topic) =>
    cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId),
  );
  return [...shares].map(([memberId, assignment]) => ({
    memberId,
    memberAssignment: MemberAssignment.encode({ version: 0, assignment, userData: Buffer.alloc(0) }),
  }));
}

function toRecords(topic: string, partition: number, messages: readonly KafkaMessage[]): IncomingRecord[] {
  const records: IncomingRecord[] = [];
  let text = '';
  let time = 0;
  for (const { offset, key, value, headers, timestamp } of messages) {
    // A number is dear to read, and many have the same.
    if (timestamp !== text) {
      text = timestamp;
      time = Number(timestamp);
    }
    records.push({ topic, partition, offset, key, value, headers: headers as Headers, timestamp: time });
  }
  return records;
}

function stalled(): Error {
  return Object.assign(new Error('The consumer has stalled.'), { retriable: true });
}

/** The offset after it. */
function behind(offset: string): string {
  return String(BigInt(offset) + 1n);
}
