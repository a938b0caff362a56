/** The authors' door: what a connector is written against, beside the contracts in `@streamweld/core`. */

export { onAbort } from './abort.js';
export { Deferred, ignoreRejection, isThenable } from './deferred.js';
export { describe, OptionError, StreamWeldError, suppress, WriteError, wrapError } from './errors.js';
export {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkOneOf,
  checkOptions,
  checkSignal,
  checkText,
} from './options.js';
export { installRuntime, type Runtime, runtime } from './runtime.js';
export type { Accepted, Batching, DeferredReceipt, Sink, SinkContext, WriteContext } from './sink.js';
export type { Awaitable, Positioned, Processor, Source, SourceContext } from './source.js';
