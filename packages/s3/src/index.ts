/** S3 as a source and a sink. */

export type {
  Condition,
  GetRequest,
  ListedObject,
  ListPage,
  ListRequest,
  ObjectAttributes,
  ObjectBody,
  ObjectFacts,
  ObjectPlace,
  PutRequest,
  S3Store,
  Upload,
  UploadedPart,
} from './client.ts';
export { S3_ERROR_CODES, S3Error, type S3ErrorCode, type S3ErrorDetails } from './errors.ts';
export type { ReachOptions, S3ClientLike, S3Credentials, S3Identity } from './options.ts';
export type { S3Position } from './position.ts';
export { S3Source, type S3SourceConstructor } from './source.ts';
export type {
  AfterObject,
  DoneObject,
  ObjectKey,
  ReadAheadOptions,
  S3SourceOptions,
} from './source-options.ts';
export { isCommitted, type LedgerContent, type PendingObjects } from './ledger.ts';
export { S3Sink, type S3SinkConstructor } from './sink.ts';
export type { S3Key, S3Part } from './sink-key.ts';
export type { S3RollOptions, S3SinkOptions } from './sink-options.ts';
export { toPath } from './to-path.ts';
