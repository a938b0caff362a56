/** The real SDK of OpenTelemetry, in memory. */

import type { Attributes, Meter, Tracer } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type MetricData,
  MeterProvider,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

/** Collects when it is told to. */
class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

export interface Histogram {
  readonly count: number;
  readonly sum?: number | undefined;
  readonly buckets: { readonly boundaries: number[]; readonly counts: number[] };
}

export interface Collected {
  readonly metrics: readonly MetricData[];
  /** By the attributes that are given, which have to be all that it has but `streamweld.pipeline`. */
  value(name: string, attributes: Attributes, pipeline?: string): number | Histogram | undefined;
  /** Added up over all attributes. */
  sum(name: string): number;
  readonly names: readonly string[];
}

export function metricsInMemory(temporality = AggregationTemporality.CUMULATIVE): {
  readonly provider: MeterProvider;
  readonly meter: Meter;
  collect(): Promise<Collected>;
} {
  const reader = new Reader({ aggregationTemporalitySelector: () => temporality });
  const provider = new MeterProvider({ readers: [reader] });
  const collect = async (): Promise<Collected> => {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw errors[0];
    const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    const pointsOf = (name: string) =>
      metrics
        .filter(({ descriptor }) => descriptor.name === name)
        .flatMap(({ dataPoints }) => [...dataPoints]);
    return {
      metrics,
      names: metrics.map(({ descriptor }) => descriptor.name),
      value: (name, attributes, pipeline = 'pipeline') =>
        pointsOf(name).find((point) =>
          same(point.attributes, { ...attributes, 'streamweld.pipeline': pipeline }),
        )?.value as number | Histogram | undefined,
      sum: (name) =>
        pointsOf(name).reduce(
          (sum, { value }) => sum + (typeof value === 'number' ? value : (value as Histogram).count),
          0,
        ),
    };
  };
  return { provider, meter: provider.getMeter('test'), collect };
}

export function spansInMemory(): {
  readonly provider: BasicTracerProvider;
  readonly tracer: Tracer;
  spans(): ReadableSpan[];
} {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { provider, tracer: provider.getTracer('test'), spans: () => exporter.getFinishedSpans() };
}

function same(a: Attributes, b: Attributes): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** All that an exporter would send of a span. */
export function textOf(spans: readonly ReadableSpan[]): string {
  return JSON.stringify(
    spans.map(({ name, attributes, events, links, status, resource }) => ({
      name,
      attributes,
      events,
      links,
      status,
      resource: resource.attributes,
    })),
  );
}
