/** The users' door of `@streamweld/kafka`: names only. */

export type { Headers, KafkaClient, PartitionOffset, TopicPartition } from './client.ts';
