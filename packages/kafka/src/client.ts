/**
 * What this package asks of a Kafka client, by its shape. Everything else is written against it, so that the connector does
 * not stand and fall with one client: an adapter makes it of a real one (`client-kafkajs.ts` of kafkajs).
 *
 * Offsets are texts, since they are 64 bits wide. Keys, values and headers are bytes.
 */

import type { Awaitable } from '@streamweld/core/connector';

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

interface IncomingRecord {
  readonly offset: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Headers;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

interface OutgoingRecord {
  readonly partition: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Headers | undefined;
  /** Milliseconds since 1970. Default: now. */
  readonly timestamp: number | undefined;
}

/** Records of one topic: of each partition they become one batch, which is written whole or not at all. */
interface OutgoingBatch {
  readonly topic: string;
  readonly records: readonly OutgoingRecord[];
}

type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

interface ProducerOptions {
  /** The broker drops what a lost answer makes it see twice. */
  readonly isIdempotent: boolean;
  readonly transactionalId: string | undefined;
  readonly transactionTimeoutMs: number;
  readonly acks: -1 | 0 | 1;
  readonly compression: Compression;
}

/** One `send`, or one transaction, at a time. Where one of them fails, whoever uses it throws it away and makes another. */
interface KafkaProducer {
  connect(): Promise<void>;
  send(batches: readonly OutgoingBatch[]): Promise<void>;
  /** What is sent from here on is seen when it is committed, or never. Needs a `transactionalId`. */
  begin(): Promise<KafkaTransaction>;
  close(): Promise<void>;
}

interface KafkaTransaction {
  send(batches: readonly OutgoingBatch[]): Promise<void>;
  /** The group's offsets move when the transaction is committed. */
  sendOffsets(groupId: string, offsets: readonly PartitionOffset[]): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

interface ConsumerOptions {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatMs: number;
  /** The most bytes of one fetch from one broker, and of one partition in it. */
  readonly maxBytes: number;
  readonly maxPartitionBytes: number;
  readonly maxWaitMs: number;
  /** Whether records of transactions that are open or aborted are read. */
  readonly readsUncommitted: boolean;
}

interface ConsumerHandlers {
  /** It has joined: these partitions are its own until `onRevoked`. Nothing is fetched of them before this has ended. */
  onAssigned(partitions: readonly TopicPartition[]): Awaitable<void>;
  /** The group shares its partitions out anew: none of them is its own any more. The group waits for the answer, if it can. */
  onRevoked(): Awaitable<void>;
  /** In the order of their offsets. Must come back soon; whoever has enough pauses the partition. */
  onRecords(from: TopicPartition, records: readonly IncomingRecord[], highWatermark: string): void;
  /** It has ended, not by `close`. */
  onEnd(error: unknown): void;
}

/** A member of a group. */
interface KafkaConsumer {
  /** Resolves when it has joined for the first time. */
  start(topics: readonly (string | RegExp)[], handlers: ConsumerHandlers): Promise<void>;
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  seek(to: PartitionOffset): void;
  commit(offsets: readonly PartitionOffset[]): Promise<void>;
  close(): Promise<void>;
}

interface Watermarks {
  readonly partition: number;
  /** Of the first record that is still there. */
  readonly low: string;
  /** Of the next record that will come. */
  readonly high: string;
}

interface KafkaAdmin {
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

export interface KafkaClient {
  createProducer(options: ProducerOptions): KafkaProducer;
  createConsumer(options: ConsumerOptions): KafkaConsumer;
  createAdmin(): KafkaAdmin;
}
