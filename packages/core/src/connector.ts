/** The authors' door: what a connector is written against, beside the contracts in `@streamweld/core`. */

export { onAbort, untilAborted } from './abort.ts';
export type { CheckpointStore } from './checkpoint.ts';
export { Deferred, ignoreRejection, isThenable } from './deferred.ts';
export {
  describe,
  isStreamWeldError,
  OptionError,
  StreamWeldError,
  suppress,
  WriteError,
  wrapError,
} from './errors.ts';
export { toSink } from './flow/to-sink.ts';
export { toSource } from './flow/to-source.ts';
export {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkMethod,
  checkOneOf,
  checkOptions,
  checkSignal,
  checkText,
} from './options.ts';
export { type Json, positionFromJson, positionToJson } from './position-json.ts';
export { installRuntime, type Runtime, runtime } from './runtime.ts';
export type { Accepted, Batching, DeferredReceipt, Sink, SinkContext, WriteContext } from './sink.ts';
export type {
  Awaitable,
  ConcurrentProcessor,
  LaneLag,
  Positioned,
  ProcessContext,
  Processor,
  Source,
  SourceContext,
} from './source.ts';
