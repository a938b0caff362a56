/** The users' door of `@streamweld/kafka`: names only. */

export type {
  Compression,
  ConsumerHandlers,
  ConsumerOptions,
  FetchedRecords,
  Headers,
  IncomingRecord,
  KafkaAdmin,
  KafkaClient,
  KafkaConsumer,
  KafkaProducer,
  KafkaTransaction,
  OutgoingBatch,
  OutgoingRecord,
  PartitionOffset,
  ProducerOptions,
  SendFailure,
  StageReach,
  TopicPartition,
  Watermarks,
} from './client.ts';
export { type DeadLetterRecords, deadLetterRecords } from './dead-letters.ts';
export { KafkaDispatchedPipelineBuilder } from './dispatched-pipeline-builder.ts';
export { KafkaDispatcher, type KafkaSinkStatus, type KafkaSubscription } from './dispatcher.ts';
export type { KafkaDispatcherOptions } from './dispatcher-options.ts';
export {
  KAFKA_ERROR_CODES,
  KafkaError,
  type KafkaErrorCode,
  type KafkaErrorDetails,
  type KafkaFields,
  KafkaPartError,
  KafkaRecordError,
} from './errors.ts';
export type { KafkajsLike, ReachOptions, SaslOptions } from './options.ts';
export type { KafkaPosition } from './position.ts';
export { type DecodedRecord, decoding, type KafkaRecord, type RecordDecoder } from './record.ts';
export { KafkaSink } from './sink.ts';
export type { HeaderValues, KafkaSinkOptions, RecordBytes } from './sink-options.ts';
export { KafkaSource, type PartitionLag } from './source.ts';
export type { KafkaSourceOptions, StartOffsets } from './source-options.ts';
