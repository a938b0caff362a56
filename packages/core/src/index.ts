/** The users' door of `@streamweld/core`. */

// Moving items
export { ConcurrentPipeline } from './pipeline/concurrent-pipeline.ts';
export {
  GracefulShutdown,
  type GracefulShutdownOptions,
  type Stoppable,
} from './pipeline/graceful-shutdown.ts';
export type { CheckpointStore } from './checkpoint.ts';
export { MemoryCheckpointStore } from './delivery/memory-checkpoint-store.ts';
export type { RunCounts, RunReport } from './pipeline/report.ts';
export type {
  BufferSnapshot,
  EdgeSnapshot,
  FailureSnapshot,
  LaneSnapshot,
  PipelineSnapshot,
  PipelineState,
  StageActivity,
  StageSnapshot,
} from './pipeline/snapshot.ts';
export type { FailureCount } from './failure-log.ts';
export type { Operation, OperationEnd, OperationObserver, Watchable } from './observe.ts';
export { Flow, from, type SourceLikeOrFlow } from './flow/flow.ts';
export type { BatchOptions } from './flow/batch.ts';
export type { AsyncOptions, MapOptions } from './flow/item-stage.ts';
export type { OnRefused } from './flow/refused.ts';
export type { ThroughOptions } from './flow/through-many.ts';
export type { SchemaIssue, SchemaResult, StandardSchema, ValidateOptions } from './flow/validate.ts';

// When a write fails
export type { BreakerState, CircuitBreakerOptions } from './policy/circuit-breaker.ts';
export type { DeadLetter, DeadLetterError } from './policy/dead-letter.ts';
export { RateLimit, type RateLimitOptions } from './policy/rate-limit.ts';
export type { BackoffOptions, RetryOptions } from './policy/retry.ts';
export type { BreakerStatus, WriteCounts, WritePolicyOptions } from './policy/write-policies.ts';

// One source, many sinks
export {
  DispatchedPipelineBuilder,
  type DemandOptions,
  type DispatcherOptions,
  type PartitionOptions,
} from './dispatch/builder.ts';
export type { DispatcherSnapshot, OnUnknown } from './dispatch/dispatch-core.ts';
export type { Dispatcher, SubscribeArguments } from './dispatch/dispatcher.ts';
export type { Key } from './dispatch/hash.ts';
export type { Logger } from './dispatch/stall-watch.ts';
export {
  type Delivery,
  type Dispatch,
  type DispatchStrategy,
  type OutletState,
  UNROUTED,
} from './dispatch/strategy.ts';
export type { SubscribeOptions } from './dispatch/subscribe-options.ts';
export type { SinkStatus, Subscription, SubscriptionState } from './dispatch/subscription.ts';

// Between tasks of your own
export {
  Channel,
  type ChannelOptions,
  type ChannelState,
  type Overflow,
  SendError,
  type WaitOptions,
} from './channel/channel.ts';

// Sources and sinks
export { generate, range, type RangeSource, repeat } from './builtin/sources.ts';
export {
  collect,
  type CollectSink,
  count,
  type CountSink,
  print,
  throughput,
  type ThroughputReading,
  type ThroughputSink,
} from './builtin/sinks.ts';
export type {
  Awaitable,
  ConcurrentProcessor,
  LaneLag,
  NodeReadableLike,
  Positioned,
  ProcessContext,
  Processor,
  Source,
  SourceContext,
  SourceLike,
  WebReadableLike,
} from './source.ts';
export type {
  Accepted,
  BatchFunction,
  Batching,
  DeferredReceipt,
  NodeWritableLike,
  Sink,
  SinkContext,
  SinkLike,
  WebWritableLike,
  WriteContext,
} from './sink.ts';

// Errors
export {
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  isStreamWeldError,
  OptionError,
  StreamWeldError,
  WriteError,
  type WriteErrorDetails,
} from './errors.ts';
