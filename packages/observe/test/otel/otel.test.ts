/** The door: what it takes, and that nothing is watched where nobody is told. */

import { type Meter, metrics, ProxyTracerProvider, type Tracer, trace } from '@opentelemetry/api';
import { ConcurrentPipeline } from '@streamweld/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { otel } from '../../src/otel/otel.ts';
import { metricsInMemory, spansInMemory } from './sdk.ts';

afterEach(() => {
  trace.disable();
  metrics.disable();
});

const make = () => new ConcurrentPipeline([1, 2, 3], { name: 'log', write: () => {} });

describe('otel', () => {
  it('watches nothing where no SDK is registered', async () => {
    const pipeline = make();
    const spies = (['observe', 'snapshot', 'behind', 'ended'] as const).map((name) =>
      vi.spyOn(pipeline, name),
    );
    const handle = otel(pipeline);
    await pipeline.run();
    handle.stop();
    expect(spies.map((spy) => spy.mock.calls.length)).toEqual([0, 0, 0, 0]);
  });

  it('tells the SDK that is registered', async () => {
    const [metered, traced] = [metricsInMemory(), spansInMemory()];
    metrics.setGlobalMeterProvider(metered.provider);
    trace.setGlobalTracerProvider(traced.provider);
    const pipeline = make();
    otel(pipeline);
    await pipeline.run();
    expect((await metered.collect()).sum('streamweld.stage.items')).toBe(6);
    expect(traced.spans().map(({ name }) => name)).toEqual(
      expect.arrayContaining(['pull array', 'write log']),
    );
    expect(traced.spans()[0]?.instrumentationScope.name).toBe('@streamweld/observe');
  });

  it('takes null for neither', async () => {
    const [metered, traced] = [metricsInMemory(), spansInMemory()];
    metrics.setGlobalMeterProvider(metered.provider);
    trace.setGlobalTracerProvider(traced.provider);
    const pipeline = make();
    otel(pipeline, { meter: null, tracer: null });
    await pipeline.run();
    expect([(await metered.collect()).names, traced.spans()]).toEqual([[], []]);
  });

  it('waits for no SDK: what is registered later is not told', async () => {
    const pipeline = make();
    otel(pipeline);
    const traced = spansInMemory();
    trace.setGlobalTracerProvider(traced.provider);
    await pipeline.run();
    expect(traced.spans()).toEqual([]);
    // oxlint-disable-next-line typescript/no-deprecated -- Of the line that we support, and gone in the next.
    expect(trace.getTracerProvider()).toBeInstanceOf(ProxyTracerProvider);
  });

  it.each([
    ['otel', {}, undefined],
    ['otel.meter', make(), { meter: {} as Meter }],
    ['otel.tracer', make(), { tracer: 'mine' as unknown as Tracer }],
    ['otel', make(), { metre: null } as never],
    ['otel.messaging', make(), { messaging: null as never }],
    ['otel.messaging.kafka.system', make(), { messaging: { kafka: {} as never } }],
    ['otel.messaging.kafka', make(), { messaging: { kafka: { system: 'kafka', topic: 'x' } as never } }],
    [
      'otel.messaging.kafka.destination',
      make(),
      { messaging: { kafka: { system: 'kafka', destination: '' } } },
    ],
  ])('refuses what cannot be: %s %#', (option, target, options) => {
    expect(() => otel(target as never, options)).toThrow(
      expect.objectContaining({
        code: 'SW_OPTION_INVALID',
        message: expect.stringContaining(option) as string,
      }),
    );
  });
});
