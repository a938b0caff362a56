/** The metrics of all that one meter is told of: numbers read when it collects, and histograms of what pulls and writes took. */

import type {
  Attributes,
  BatchObservableCallback,
  Counter,
  Histogram,
  Meter,
  MetricOptions,
  Observable,
} from '@opentelemetry/api';
import type { Operation, OperationEnd, Watchable } from '@streamweld/core';
import { runtime } from '@streamweld/core/connector';
import { errorTypeOf } from './error-type.ts';
import { CONVENTIONS, METRICS, SECONDS } from './names.ts';
import { type Observed, type Reading, readingsOf } from './readings.ts';
import { Series } from './series.ts';
import type { Subject } from './subject.ts';
import { Watches } from './watches.ts';

const watchers = new WeakMap<Meter, MeterWatch>();

/** What a meter already watches goes on as it is. */
export function metricsOn(meter: Meter): Watches {
  let watch = watchers.get(meter);
  if (watch === undefined) watchers.set(meter, (watch = new MeterWatch(meter)));
  return watch.watches;
}

class MeterWatch {
  readonly watches: Watches = new Watches((subject, reach, end) => this.#attach(subject, reach, end));
  readonly #running = new Map<Subject, { readonly reach: () => void; readonly end: () => void }>();
  readonly #series = new Series();
  /** What was kept of those that ended, or were let go. */
  readonly #kept = new WeakMap<Watchable, readonly Reading[]>();
  readonly #observables: Record<Observed, Observable>;
  readonly #durations: Histogram;
  readonly #messaging: Readonly<Record<'durations', Histogram> & Record<'sent' | 'consumed', Counter>>;

  constructor(meter: Meter) {
    this.#observables = observablesOf(meter);
    const seconds = { unit: 's', advice: { explicitBucketBoundaries: SECONDS } };
    this.#durations = meter.createHistogram(METRICS.duration, {
      ...seconds,
      description: 'How long a pull of a source or a write of a sink took, waiting included.',
    });
    this.#messaging = {
      durations: meter.createHistogram(CONVENTIONS.METRIC_MESSAGING_CLIENT_OPERATION_DURATION, {
        ...seconds,
        description: 'Duration of messaging operation initiated by a producer or consumer client.',
      }),
      sent: meter.createCounter(CONVENTIONS.METRIC_MESSAGING_CLIENT_SENT_MESSAGES, {
        unit: '{message}',
        description: 'Number of messages producer attempted to send to the broker.',
      }),
      consumed: meter.createCounter(CONVENTIONS.METRIC_MESSAGING_CLIENT_CONSUMED_MESSAGES, {
        unit: '{message}',
        description: 'Number of messages that were delivered to the application.',
      }),
    };
    meter.addBatchObservableCallback(this.#collect, Object.values(this.#observables));
  }

  /** Called by the SDK, whenever it collects: nothing runs in between. */
  readonly #collect: BatchObservableCallback = (result) => {
    for (const [{ target }, { reach, end }] of [...this.#running]) {
      reach();
      // A pipeline tells when it has ended, a dispatcher does not.
      if (target.ended === undefined && stateOf(target) === 'closed') end();
    }
    const readings = [...this.#running.keys()].flatMap(readingsOf);
    for (const { metric, value, attributes } of this.#series.total(readings))
      result.observe(this.#observables[metric], value, attributes);
  };

  #attach(subject: Subject, reach: () => void, end: () => void): () => void {
    const { target } = subject;
    this.#series.keep(this.#kept.get(target) ?? [], -1);
    this.#running.set(subject, { reach, end });
    const unobserve = target.observe((operation) => {
      const since = runtime.now();
      return (ended) => this.#measure(subject, operation, ended, (runtime.now() - since) / 1000);
    });
    return () => {
      unobserve();
      this.#running.delete(subject);
      const readings = readingsOf(subject);
      this.#kept.set(target, readings);
      this.#series.keep(readings);
    };
  }

  #measure(subject: Subject, operation: Operation, ended: OperationEnd, seconds: number): void {
    const { attributes, messaging } = subject.operationOf(operation);
    this.#durations.record(seconds, withError(attributes, ended));
    if (messaging !== undefined) this.#measureMessages(messaging.attributes, operation, ended, seconds);
  }

  #measureMessages(attributes: Attributes, operation: Operation, ended: OperationEnd, seconds: number): void {
    const { durations, sent, consumed } = this.#messaging;
    const all = withError(attributes, ended);
    durations.record(seconds, all);
    if (operation.kind === 'write') sent.add(operation.items, all);
    else consumed.add(ended.items, all);
  }
}

function stateOf(target: Watchable): unknown {
  return (target.snapshot() as { readonly state?: unknown }).state;
}

function withError(attributes: Attributes, ended: OperationEnd): Attributes {
  return 'error' in ended
    ? { ...attributes, [CONVENTIONS.ATTR_ERROR_TYPE]: errorTypeOf(ended.error) }
    : attributes;
}

function observablesOf(meter: Meter): Record<Observed, Observable> {
  const items = (description: string): MetricOptions => ({ unit: '{item}', description });
  return {
    items: meter.createObservableCounter(
      METRICS.items,
      items('Items that a stage was handed (in; of a sink: accepted) and handed on (out).'),
    ),
    bufferItems: meter.createObservableUpDownCounter(
      METRICS.bufferItems,
      items('Items in the buffer before a sink: queued, or in flight to it.'),
    ),
    bufferCapacity: meter.createObservableUpDownCounter(
      METRICS.bufferCapacity,
      items('The most items in the buffer before a sink, those in flight included.'),
    ),
    demand: meter.createObservableUpDownCounter(
      METRICS.demand,
      items('Items that there is room for in the buffer before a sink.'),
    ),
    lag: meter.createObservableUpDownCounter(
      METRICS.lag,
      items('Items that a source knows of and has not handed out.'),
    ),
    retries: meter.createObservableCounter(METRICS.retries, {
      unit: '{write}',
      description: 'Writes that were tried again after a failure that may pass.',
    }),
    deadLetters: meter.createObservableCounter(
      METRICS.deadLetters,
      items('Items that went to the dead letter.'),
    ),
  };
}
