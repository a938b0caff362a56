/** Metrics and spans by OpenTelemetry: one line of code. What collects and sends them is your SDK. */

import { createNoopMeter, type Meter, metrics, type Tracer, trace } from '@opentelemetry/api';
import { OptionError, type Watchable } from '@streamweld/core';
import { checkOptions } from '@streamweld/core/connector';
import { checkWatchable } from '../shared/check.ts';
import { checkMessaging, type MessagingStages } from './messaging.ts';
import { metricsOn } from './metrics.ts';
import { SCOPE } from './names.ts';
import { spansOn } from './spans.ts';

export type { MessagingOptions, MessagingStages } from './messaging.ts';

export interface OtelOptions {
  /** Who takes the metrics. Default: that of the SDK that is registered. `null`: no metrics. */
  readonly meter?: Meter | null | undefined;
  /** Who takes the spans. Default: that of the SDK that is registered. `null`: no spans. */
  readonly tracer?: Tracer | null | undefined;
  /**
   * Which stages read or write messages, by their names, and where: they are told of by the conventions for messaging too.
   * Default: none, for a stage does not say so itself.
   */
  readonly messaging?: MessagingStages | undefined;
}

export interface Otel {
  /** Ends it before the run does; what was counted stays. After the end it does nothing. */
  stop(): void;
  [Symbol.dispose](): void;
}

/**
 * Tells OpenTelemetry of a pipeline or a dispatcher, and of all dispatchers behind it, from now until it has ended: metrics,
 * read when they are collected, and a span for each pull and each write. Where no SDK is registered by then, nothing is
 * watched. Asked for twice, it is told of once. No item and no message of an error is told, only codes.
 *
 * Spans are children of the one that is active when it is called; where none is, each begins a trace of its own.
 * @throws OptionError for what is neither a pipeline nor a dispatcher, and for options
 *
 * @example
 * otel(pipeline);
 * await pipeline.run();
 */
export function otel(target: Watchable, options?: OtelOptions): Otel {
  checkWatchable('otel', target);
  const given = checkOptions('otel', options, ['meter', 'tracer', 'messaging']);
  checkHas('otel.meter', given.meter, 'addBatchObservableCallback', 'a Meter or null');
  checkHas('otel.tracer', given.tracer, 'startSpan', 'a Tracer or null');
  const messaging = given.messaging === undefined ? {} : checkMessaging(given.messaging);
  const meter = given.meter === undefined ? registeredMeter() : given.meter;
  const tracer = given.tracer === undefined ? registeredTracer() : given.tracer;
  const watches = [...(meter ? [metricsOn(meter)] : []), ...(tracer ? [spansOn(tracer)] : [])];
  const releases = watches.map((each) => each.hold(target, messaging));
  const stop = (): void => {
    for (const release of releases) release();
  };
  return { stop, [Symbol.dispose]: stop };
}

function registeredMeter(): Meter | undefined {
  const meter = metrics.getMeter(SCOPE);
  return meter === createNoopMeter() ? undefined : meter;
}

/** The API's own provider stands in for the one to come, and answers nothing where none has. */
function registeredTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider() as ReturnType<typeof trace.getTracerProvider> & {
    readonly getDelegateTracer?: (name: string) => Tracer | undefined;
  };
  return provider.getDelegateTracer === undefined
    ? provider.getTracer(SCOPE)
    : provider.getDelegateTracer(SCOPE);
}

function checkHas(option: string, value: object | null | undefined, method: string, expected: string): void {
  if (value === undefined || value === null) return;
  if (typeof (value as Record<string, unknown>)[method] !== 'function')
    throw new OptionError(option, expected, value);
}
