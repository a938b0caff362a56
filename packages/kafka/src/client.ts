/**
 * What this package asks of a Kafka client, by its shape. Everything else is written against it, so that the connector does
 * not stand and fall with one client: an adapter makes it of a real one (`client-kafkajs.ts` of kafkajs).
 *
 * Offsets are texts, since they are 64 bits wide. Keys, values and headers are bytes.
 */

import type { Awaitable, StreamWeldError } from '@streamweld/core/connector';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A place in a partition: the offset of the next record. */
export interface PartitionOffset extends TopicPartition {
  readonly offset: string;
}

/** Of one name there may be several. */
export type Headers = Readonly<Record<string, Uint8Array | readonly Uint8Array[]>>;

export interface IncomingRecord extends TopicPartition {
  readonly offset: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Headers;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

export interface OutgoingRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Headers | undefined;
  /** Milliseconds since 1970. Default: now. */
  readonly timestamp: number | undefined;
}

/** Records of one partition: a batch of the log, which is written whole or not at all. */
export interface OutgoingBatch extends TopicPartition {
  readonly records: readonly OutgoingRecord[];
}

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

export interface ProducerOptions {
  /** The broker drops what a lost answer makes it see twice. */
  readonly isIdempotent: boolean;
  readonly transactionalId: string | undefined;
  readonly transactionTimeoutMs: number;
  readonly acks: -1 | 0 | 1;
  readonly compression: Compression;
  /** How long one `send` is tried again where that may help. */
  readonly deliveryTimeoutMs: number;
}

/** A batch that was not written, or of which nobody knows. */
export interface SendFailure extends TopicPartition {
  /** Where it blames the records, the broker has refused them: nothing of this batch is written, and the producer goes on. */
  readonly error: StreamWeldError;
  /** Nothing of it was sent: this producer does not know the partition. One that looks the topic up anew may. */
  readonly isUnsent?: boolean | undefined;
}

/**
 * One `send`, or one transaction, at a time, with at most one batch of each partition. After a failure that does not blame
 * the records, whoever uses it throws it away and makes another.
 */
export interface KafkaProducer {
  connect(): Promise<void>;
  /** Ends when all of it is over, and answers what failed; what it does not name is written. */
  send(batches: readonly OutgoingBatch[]): Promise<readonly SendFailure[]>;
  /** What is sent from here on is seen when it is committed, or never. Needs a `transactionalId`. */
  begin(): Promise<KafkaTransaction>;
  close(): Promise<void>;
  /** Cuts its connections, whatever it is doing: what is outstanding fails. `close` may be called after it. */
  abandon(): void;
}

export interface KafkaTransaction {
  send(batches: readonly OutgoingBatch[]): Promise<readonly SendFailure[]>;
  /** The group's offsets move when the transaction is committed. */
  sendOffsets(groupId: string, offsets: readonly PartitionOffset[]): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

export interface ConsumerOptions {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  /** How long the group waits for its members when it shares its partitions out anew. */
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatMs: number;
  /** The most bytes of one fetch from one broker, and of one partition in it. */
  readonly maxBytes: number;
  readonly maxPartitionBytes: number;
  /** How long a fetch waits for records. */
  readonly maxWaitMs: number;
  /** How often it looks for new partitions of its topics. */
  readonly metadataMaxAgeMs: number;
  /** Whether records of transactions that are open or aborted are read. */
  readonly readsUncommitted: boolean;
  /**
   * That of the consumer whose place it takes: then the group need not wait until the session of that one has timed out.
   * One that the group does not know any more does no harm.
   */
  readonly memberId?: string | undefined;
}

/** What was fetched of a partition in one go. */
export interface FetchedRecords extends TopicPartition {
  /** In the order of their offsets. None: what there was is nobody's to see, such as the end of a transaction. */
  readonly records: readonly IncomingRecord[];
  /** The offset of the first that was fetched, seen or not. */
  readonly first: string;
  /** Where the next fetch begins: behind all that was fetched, seen or not. */
  readonly next: string;
  readonly highWatermark: string;
}

/** None of them throws, and no promise of theirs rejects. */
export interface ConsumerHandlers {
  /** It has joined: these partitions are its own until `onRevoked`. Of each nothing is fetched before a `seek`. */
  onAssigned(partitions: readonly TopicPartition[]): void;
  /** The group shares its partitions out anew: none of them is its own any more. It joins again when this has settled. */
  onRevoked(): Promise<void>;
  /**
   * Whoever has enough pauses the partition. While what it answers has not settled nothing more is fetched from that broker
   * and nobody says that the member lives, so it may be a tenth of a second and no more.
   */
  onRecords(fetched: FetchedRecords): Awaitable<void>;
  /** It has ended, not by `close`, and will not come back by itself. */
  onEnd(error: unknown): void;
}

/**
 * A member of a group. It commits nothing by itself, and moves to no other offset by itself: where its own is gone it ends. So
 * it does where a topic that it has read from is not there any more, or is another one of that name, with Kafka's name for that
 * as the `type` of the error, `UNKNOWN_TOPIC_OR_PARTITION`.
 */
export interface KafkaConsumer {
  /** What the group calls it, once it has joined. */
  readonly memberId?: string | undefined;
  /** When the group last said that it is a member, by `runtime.now`. A client that cannot tell has no such thing. */
  readonly confirmedAt?: number | undefined;
  /** Resolves when it has joined for the first time. */
  start(topics: readonly string[], handlers: ConsumerHandlers): Promise<void>;
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  /** Fetches from there. */
  seek(to: PartitionOffset): void;
  /** Tries once, as the member that it is at the time of the call. */
  commit(offsets: readonly PartitionOffset[]): Promise<void>;
  close(): Promise<void>;
}

export interface Watermarks {
  readonly partition: number;
  /** Of the first record that is still there. */
  readonly low: string;
  /** Of the next record that will come. */
  readonly high: string;
}

export interface KafkaAdmin {
  connect(): Promise<void>;
  topics(): Promise<readonly string[]>;
  /** How many partitions it has. */
  partitions(topic: string): Promise<number>;
  watermarks(topic: string): Promise<readonly Watermarks[]>;
  /** Of each partition, the first offset at or after the time; the end where there is none. */
  offsetsAt(topic: string, timestampMs: number): Promise<readonly PartitionOffset[]>;
  /** Undefined where the group has committed none. */
  committed(groupId: string, topic: string): Promise<ReadonlyMap<number, string>>;
  close(): Promise<void>;
}

/** Whose client it is, and how long that one waits. */
export interface StageReach {
  /** Of the source or sink: errors name it. */
  readonly name: string;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

/**
 * What its methods reject with is a StreamWeldError, or an error whose `type` is the protocol's name for it as
 * `error-verdicts.ts` has it, or what Node said of a connection, at any depth of `cause`.
 */
export interface KafkaClient {
  createProducer(options: ProducerOptions): KafkaProducer;
  createConsumer(options: ConsumerOptions): KafkaConsumer;
  createAdmin(): KafkaAdmin;
  /** The same client for one source or sink. Without it, its own timeouts and names count. */
  forStage?(reach: StageReach): KafkaClient;
}
