/** The spans that the real SDK exports of real pipelines. */

import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { ConcurrentPipeline, DispatchedPipelineBuilder, from, type Sink } from '@streamweld/core';
import { useLeakCheck } from '@streamweld/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { otel } from '../../src/otel/otel.ts';
import { metricsInMemory, spansInMemory, textOf } from './sdk.ts';

beforeEach(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
});
afterEach(() => {
  context.disable();
  propagation.disable();
});
useLeakCheck({ beforeEach, afterEach });

/** Answers these batches, one a pull. */
function batches<T>(name: string, ...answers: readonly (readonly T[])[]) {
  const left = [...answers];
  return { name, pull: () => left.shift() };
}

function failingOnce<T>(name: string, error: unknown): Sink<T> {
  let hasFailed = false;
  return {
    name,
    write: () => {
      if (hasFailed) return;
      hasFailed = true;
      throw error;
    },
  };
}

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const parentOf = (n: number): string => `00-${TRACE}-${String(n).padStart(16, '0')}-01`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('otel, spans', () => {
  it('tells of each pull and each write, and not of items', async () => {
    const { tracer, spans } = spansInMemory();
    const writes: number[] = [];
    const sink = { name: 'log', write: (batch: readonly number[]) => void writes.push(batch.length) };
    const pipeline = new ConcurrentPipeline(batches('file', [1, 2, 3], [4, 5]), sink).name('lines');
    otel(pipeline, { tracer, meter: null });
    const report = await pipeline.run();
    const told = spans().map(({ name, kind, attributes }) => ({ name, kind, attributes }));
    const of = (operation: string) => told.filter(({ name }) => name.startsWith(operation));
    const pull = {
      'streamweld.pipeline': 'lines',
      'streamweld.stage': 'file',
      'streamweld.operation': 'pull',
    };
    expect(of('pull')).toEqual(
      [3, 2, 0].map((items) => ({
        name: 'pull file',
        kind: SpanKind.INTERNAL,
        attributes: { ...pull, 'streamweld.items': items },
      })),
    );
    expect(of('write').map(({ attributes }) => attributes)).toEqual(
      writes.map((items) => ({
        'streamweld.pipeline': 'lines',
        'streamweld.stage': 'log',
        'streamweld.operation': 'write',
        'streamweld.attempt': 1,
        'streamweld.items': items,
      })),
    );
    expect([writes.length, told.length]).toEqual([report.batches, report.batches + 3]);
  });

  it('makes them children of what was active when it was asked, and else the first of their traces', async () => {
    const { tracer, spans } = spansInMemory();
    const job = tracer.startSpan('job');
    const make = () => new ConcurrentPipeline(batches('file', [1], [2]), () => {});
    const [inside, outside] = [make().name('inside'), make().name('outside')];
    context.with(trace.setSpan(ROOT_CONTEXT, job), () => otel(inside, { tracer }));
    otel(outside, { tracer });
    await inside.run();
    // Whatever is active while it runs.
    await context.with(trace.setSpan(ROOT_CONTEXT, job), () => outside.run());
    job.end();
    const of = (name: string) =>
      spans().filter(({ attributes }) => attributes['streamweld.pipeline'] === name);
    expect(of('inside').length).toBeGreaterThan(3);
    for (const span of of('inside')) {
      expect(span.parentSpanContext?.spanId).toBe(job.spanContext().spanId);
      expect(span.spanContext().traceId).toBe(job.spanContext().traceId);
    }
    expect(of('outside').map(({ parentSpanContext }) => parentSpanContext)).toEqual(
      of('outside').map(() => undefined),
    );
    expect(new Set(of('outside').map((span) => span.spanContext().traceId)).size).toBe(of('outside').length);
  });

  it('leads from a batch to those that made its messages, each once', async () => {
    const { tracer, spans } = spansInMemory();
    const record = (n: number, traceparent: unknown) => ({ value: `item ${n}`, headers: { traceparent } });
    const records = [
      record(1, bytes(parentOf(1))),
      record(2, parentOf(2)),
      record(3, [bytes(parentOf(3))]),
      record(3, parentOf(2)),
      record(4, bytes('not one at all')),
      { value: 'item 5' },
      null,
      {
        get headers(): never {
          throw new Error('item 6');
        },
      },
    ];
    const pipeline = new ConcurrentPipeline(batches<unknown>('kafka', records), {
      name: 'out',
      write: () => {},
    });
    otel(pipeline, {
      tracer,
      messaging: {
        kafka: { system: 'kafka', destination: 'orders', consumerGroup: 'billing' },
        out: { system: 'kafka' },
      },
    });
    await pipeline.run();
    const [poll] = spans().filter(({ name }) => name === 'poll orders');
    const [send] = spans().filter(({ name }) => name === 'send');
    for (const span of [poll, send])
      expect(span?.links.map(({ context: { traceId, spanId } }) => [traceId, Number(spanId)])).toEqual([
        [TRACE, 1],
        [TRACE, 2],
        [TRACE, 3],
      ]);
    expect(poll).toMatchObject({
      kind: SpanKind.CLIENT,
      attributes: {
        'messaging.system.name': 'kafka',
        'messaging.operation.name': 'poll',
        'messaging.operation.type': 'receive',
        'messaging.destination.name': 'orders',
        'messaging.consumer.group.name': 'billing',
        'messaging.batch.message_count': 8,
      },
    });
    expect(send).toMatchObject({
      kind: SpanKind.CLIENT,
      attributes: { 'messaging.operation.type': 'send', 'messaging.batch.message_count': 8 },
    });
    expect(send?.attributes).not.toHaveProperty('messaging.consumer.group.name');
    expect(textOf(spans())).not.toMatch(/item \d|not one/);
  });

  it('holds 128 links at most', async () => {
    const { tracer, spans } = spansInMemory();
    const records = Array.from({ length: 500 }, (_, n) => ({ headers: { traceparent: parentOf(n + 1) } }));
    const pipeline = new ConcurrentPipeline(batches('kafka', records), () => {});
    otel(pipeline, { tracer });
    await pipeline.run();
    const [pull] = spans().filter(({ name }) => name === 'pull kafka');
    expect([pull?.links.length, pull?.droppedLinksCount]).toEqual([128, 0]);
  });

  it('counts attempts, each a span that leads to the one before', async () => {
    const { tracer, spans } = spansInMemory();
    const error = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    const pipeline = new ConcurrentPipeline(batches('file', ['a']), failingOnce('pg', error)).retry({
      attempts: 2,
      backoff: { firstMs: 1 },
    });
    otel(pipeline, { tracer });
    await pipeline.run();
    const [first, second] = spans().filter(({ name }) => name === 'write pg');
    expect(first).toMatchObject({
      attributes: { 'streamweld.attempt': 1, 'error.type': 'ECONNRESET' },
      status: { code: SpanStatusCode.ERROR },
    });
    expect(second).toMatchObject({
      attributes: { 'streamweld.attempt': 2 },
      status: { code: SpanStatusCode.UNSET },
    });
    expect(second?.attributes).not.toHaveProperty('error.type');
    expect(second?.links.map((link) => link.context.spanId)).toEqual([first?.spanContext().spanId]);
  });

  it.each([
    [Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'ECONNRESET'],
    [new TypeError('x'), 'TypeError'],
    [Object.assign(new Error('x'), { code: 'the item "secret"' }), 'Error'],
    [{ code: 7, name: 'no name, but a sentence' }, '_OTHER'],
    ['secret', '_OTHER'],
    [
      {
        get code(): never {
          throw new Error('secret');
        },
      },
      '_OTHER',
    ],
  ])('calls a failure by its code, or its name: %#', async (error, type) => {
    const { tracer, spans } = spansInMemory();
    const pipeline = new ConcurrentPipeline(batches('file', ['a']), failingOnce('pg', error));
    otel(pipeline, { tracer });
    await pipeline.run().catch(() => {});
    expect(spans().map(({ attributes }) => attributes['error.type'])).toContain(type);
    expect(textOf(spans())).not.toContain('secret');
  });

  it('tells of no item and no message of an error, in spans and in metrics', async () => {
    const { tracer, spans } = spansInMemory();
    const { meter, collect } = metricsInMemory();
    const error = new Error('cannot write XYZZY');
    const pipeline = new ConcurrentPipeline(
      from(batches('file', ['XYZZY', 'XYZZY2'])).map((text) => ({
        text,
        headers: { authorization: 'XYZZY' },
      })),
      failingOnce('pg', error),
    ).retry({ attempts: 2, backoff: { firstMs: 1 } });
    otel(pipeline, { tracer, meter });
    await pipeline.run();
    const all = textOf(spans()) + JSON.stringify((await collect()).metrics);
    expect(all).toContain('streamweld.stage');
    expect(all).not.toContain('XYZZY');
  });

  it('tells once of what is asked for twice, of all that is behind, and of nothing more once it is stopped', async () => {
    const { tracer, spans } = spansInMemory();
    const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'all' }).broadcast();
    const make = (name: string) =>
      new ConcurrentPipeline(batches('file', [1]), dispatcher.createSink()).name(name);
    const [a, b] = [make('a'), make('b')];
    const first = otel(a, { tracer });
    first.stop();
    for (const each of [a, a, b]) otel(each, { tracer });
    const inner = new DispatchedPipelineBuilder<number>({ name: 'inner' }).broadcast();
    await dispatcher.subscribeSink(inner.createSink(), undefined, { name: 'inside' });
    let writes = 0;
    await inner.subscribeSink({ name: 'leaf', write: () => void (writes += 1) });
    await Promise.all([a.run(), b.run()]);
    const named = (name: string) => spans().filter((span) => span.name === name);
    expect(named('pull file')).toHaveLength(4);
    expect(named('write leaf')).toHaveLength(writes);
    expect(named('write inside').length).toBeGreaterThan(0);
    expect(new Set(named('write leaf').map(({ attributes }) => attributes['streamweld.pipeline']))).toEqual(
      new Set(['inner']),
    );
    const stopped = new ConcurrentPipeline(batches('quiet', [1]), () => {});
    otel(stopped, { tracer }).stop();
    await stopped.run();
    expect(named('pull quiet')).toHaveLength(0);
  });
});
