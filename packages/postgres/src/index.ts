/** Postgres for StreamWeld: names only. */

export type { PostgresChangeSourceOptions } from './change-options.ts';
export type { ChangePosition } from './change-position.ts';
export type { Change, ChangeTransaction } from './changes.ts';
export { PostgresCheckpointStore, type PostgresCheckpointStoreOptions } from './checkpoint-store.ts';
export type {
  ConnectionOptions,
  PostgresConnection,
  PostgresField,
  PostgresPool,
  PostgresQuery,
  PostgresResult,
  TypeParsers,
} from './connection.ts';
export {
  POSTGRES_ERROR_CODES,
  PostgresError,
  type PostgresErrorCode,
  type PostgresErrorDetails,
  PostgresRowError,
  type ServerFields,
} from './errors.ts';
export type {
  ColumnValue,
  KeyValue,
  PostgresSinkOptions,
  PostgresSourceOptions,
  ReachOptions,
} from './options.ts';
export { PostgresSink } from './sink.ts';
export { PostgresChangeSource } from './source-changes.ts';
export {
  type Notification,
  PostgresNotificationSource,
  type PostgresNotificationSourceOptions,
} from './source-notifications.ts';
export { PostgresSource } from './source.ts';
export type { PostgresPosition } from './source-key.ts';
