/** Redis Streams for StreamWeld: names only. */

export type { RedisClient } from './client.ts';
export type { RedisEntry, RedisPosition } from './entries.ts';
export { REDIS_ERROR_CODES, RedisError, type RedisErrorCode } from './errors.ts';
export type {
  ConnectionOptions,
  FieldValue,
  ReachOptions,
  RedisStreamSinkOptions,
  RedisStreamSourceOptions,
} from './options.ts';
export { RedisStreamSink } from './sink.ts';
export { RedisStreamSource } from './source.ts';
