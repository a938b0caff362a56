/** What a meter of the real SDK collects of real pipelines, against what they report themselves. */

import {
  ConcurrentPipeline,
  DispatchedPipelineBuilder,
  from,
  type Sink,
  WriteError,
  type Subscription,
  type Watchable,
} from '@streamweld/core';
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics';
import { useLeakCheck } from '@streamweld/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { otel } from '../../src/otel/otel.ts';
import { useVirtualClock } from '../clock.ts';
import { type Histogram, metricsInMemory } from './sdk.ts';

const time = useVirtualClock();
useLeakCheck({ beforeEach, afterEach }, { clock: time });

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const named = (name: string, more: Partial<Sink<number>> = {}): Sink<number> => ({
  name,
  write: () => {},
  ...more,
});

/** Refuses 13, and fails once in a way that may pass. */
function troubled(): Sink<number> {
  let hasFailed = false;
  return named('postgres', {
    batching: { maxItems: 10 },
    write: async (batch) => {
      await time().sleep(30);
      if (!hasFailed) {
        hasFailed = true;
        throw Object.assign(new Error('the connection was reset'), { code: 'ECONNRESET' });
      }
      const at = batch.indexOf(13);
      if (at >= 0) throw new WriteError('unlucky', { failed: [at], retryable: false });
    },
  });
}

/** How many watch it now. */
function openOn(target: Watchable): () => number {
  const observe = target.observe.bind(target);
  let open = 0;
  target.observe = (observer) => {
    const unobserve = observe(observer);
    open += 1;
    return () => {
      open -= 1;
      unobserve();
    };
  };
  return () => open;
}

describe('otel, metrics', () => {
  it('tells the numbers of the report, under the names and in the units of the conventions', async () => {
    const { meter, collect } = metricsInMemory();
    const dead: unknown[] = [];
    const pipeline = new ConcurrentPipeline(
      from(numbers(100))
        .map((n) => n)
        .filter((n) => n % 2 === 1),
      troubled(),
    )
      .name('orders')
      .retry({ attempts: 3 })
      .deadLetter({ write: (batch) => void dead.push(...batch) });
    otel(pipeline, { meter, tracer: null });
    const report = await time().run(pipeline.run());
    const { value, metrics } = await collect();
    const of = (name: string, attributes = {}) => value(name, attributes, 'orders');
    const stage = (name: string, more = {}) => ({ 'streamweld.stage': name, ...more });
    const direction = (name: string, way: string) => stage(name, { 'streamweld.direction': way });

    expect(report).toMatchObject({ read: 100, written: 49, deadLettered: 1, retried: 1 });
    expect(of('streamweld.stage.items', direction('array', 'out'))).toBe(report.read);
    expect(of('streamweld.stage.items', direction('filter', 'in'))).toBe(100);
    expect(of('streamweld.stage.items', direction('filter', 'out'))).toBe(50);
    expect(of('streamweld.stage.items', direction('postgres', 'in'))).toBe(report.written);
    expect(of('streamweld.retries', stage('postgres'))).toBe(report.retried);
    expect(of('streamweld.dead_letters')).toBe(report.deadLettered);
    expect(dead).toHaveLength(1);

    const writes = stage('postgres', { 'streamweld.operation': 'write' });
    const took = of('streamweld.stage.duration', writes) as Histogram;
    expect(took.count).toBe(report.batches);
    expect(took.sum).toBeCloseTo(report.batches * 0.03, 6);
    expect(took.buckets.boundaries).toEqual([
      0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    ]);
    const failed = (type: string) =>
      of('streamweld.stage.duration', { ...writes, 'error.type': type }) as Histogram;
    expect(failed('ECONNRESET').count).toBe(1);
    expect(failed('SW_SINK_FAILED').count).toBe(1);

    const described = metrics.map(({ descriptor: { name, unit }, ...data }) =>
      data.dataPointType === DataPointType.SUM ? [name, unit, data.isMonotonic] : [name, unit],
    );
    expect(Object.fromEntries(described.map(([name, ...rest]) => [name, rest]))).toEqual({
      'streamweld.stage.items': ['{item}', true],
      'streamweld.stage.duration': ['s'],
      'streamweld.buffer.items': ['{item}', false],
      'streamweld.buffer.capacity': ['{item}', false],
      'streamweld.demand': ['{item}', false],
      'streamweld.retries': ['{write}', true],
      'streamweld.dead_letters': ['{item}', true],
    });
  });

  it('tells buffers and demand while it runs, and 0 when it has ended', async () => {
    const { meter, collect } = metricsInMemory();
    const sink = named('slow', { batching: { maxItems: 4 }, write: () => time().sleep(100) });
    const pipeline = new ConcurrentPipeline(numbers(100), sink).bufferSize(20);
    otel(pipeline, { meter });
    const run = pipeline.run();
    await time().advance(150);
    const [buffer] = pipeline.snapshot().edges.flatMap((edge) => edge.buffer ?? []);
    expect(buffer).toMatchObject({ capacity: 20, inFlight: 4 });
    const slow = { 'streamweld.stage': 'slow' };
    const read = async () => {
      const { value } = await collect();
      return {
        queued: value('streamweld.buffer.items', { ...slow, 'streamweld.state': 'queued' }),
        inFlight: value('streamweld.buffer.items', { ...slow, 'streamweld.state': 'in_flight' }),
        capacity: value('streamweld.buffer.capacity', slow),
        demand: value('streamweld.demand', slow),
      };
    };
    expect(await read()).toEqual(buffer);
    await time().run(run);
    expect(await read()).toEqual({ queued: 0, inFlight: 0, capacity: 0, demand: 0 });
  });

  it('tells how far a source is behind, by lane, and 0 of a lane that it has given up', async () => {
    const { meter, collect } = metricsInMemory();
    const lanes = [
      { lane: 'orders/0', lag: 40 },
      { lane: 'orders/1', lag: 2 },
    ];
    let pulls = 0;
    const pipeline = new ConcurrentPipeline(
      {
        name: 'kafka',
        lag: () => lanes,
        pull: async () => {
          await time().sleep(100);
          pulls += 1;
          return pulls < 10 ? { items: [pulls], lane: 'orders/0', position: pulls } : undefined;
        },
      },
      () => {},
    );
    otel(pipeline, { meter });
    const run = pipeline.run();
    await time().advance(250);
    const lagOf = async (lane: string) =>
      (await collect()).value('streamweld.lag.items', {
        'streamweld.stage': 'kafka',
        'streamweld.lane': lane,
      });
    expect([await lagOf('orders/0'), await lagOf('orders/1')]).toEqual([40, 2]);
    lanes.pop();
    expect([await lagOf('orders/0'), await lagOf('orders/1')]).toEqual([40, 0]);
    await time().run(run);
    expect(await lagOf('orders/0')).toBe(0);
  });

  it.each(['CUMULATIVE', 'DELTA'] as const)(
    'never lets a counter fall, as pipelines of one name come and go: %s',
    async (temporality) => {
      const { meter, collect } = metricsInMemory(AggregationTemporality[temporality]);
      const items = { 'streamweld.stage': 'array', 'streamweld.direction': 'out' };
      const seen: unknown[] = [];
      const look = async () =>
        void seen.push((await collect()).value('streamweld.stage.items', items, 'hourly'));
      const make = (): ConcurrentPipeline<number> => {
        const pipeline = new ConcurrentPipeline(numbers(10), named('log')).name('hourly');
        otel(pipeline, { meter });
        return pipeline;
      };
      await time().run(make().run());
      await look();
      await look();
      // Two at once.
      const [a, b] = [make(), make()];
      await time().run(Promise.all([a.run(), b.run()]));
      await look();
      expect(seen).toEqual(temporality === 'CUMULATIVE' ? [10, 10, 30] : [10, 0, 20]);
    },
  );

  it('counts what several sources hand to one operator', async () => {
    const { meter, collect } = metricsInMemory();
    const pipeline = new ConcurrentPipeline(from(numbers(5)).merge(from(numbers(7))), named('log'));
    otel(pipeline, { meter });
    await time().run(pipeline.run());
    const merge = { 'streamweld.stage': 'merge', 'streamweld.direction': 'in' };
    expect((await collect()).value('streamweld.stage.items', merge)).toBe(12);
  });

  it('tells stages of one name apart, and pipelines by theirs', async () => {
    const { meter, collect } = metricsInMemory();
    const make = (count: number) => {
      const flow = from(numbers(count))
        .filter((n) => n > 0)
        .filter((n) => n > 1);
      const pipeline = new ConcurrentPipeline(flow, named('log'));
      otel(pipeline, { meter });
      return pipeline;
    };
    const pipelines = [make(5), make(7)];
    await collect();
    // It can be named until it runs.
    for (const [index, pipeline] of pipelines.entries()) pipeline.name(index === 0 ? 'a' : 'b');
    await time().run(Promise.all(pipelines.map((pipeline) => pipeline.run())));
    const { value } = await collect();
    const out = (stage: string) => ({ 'streamweld.stage': stage, 'streamweld.direction': 'out' });
    const outs = (pipeline: string) =>
      ['filter', 'filter#2'].map((stage) => value('streamweld.stage.items', out(stage), pipeline));
    expect([outs('a'), outs('b')]).toEqual([
      [4, 3],
      [6, 5],
    ]);
  });

  it('counts once what is asked for twice, and what several pipelines feed', async () => {
    const { meter, collect } = metricsInMemory();
    const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'halves' }).partition(
      ['even', 'odd'],
      (n) => (n % 2 === 0 ? 'even' : 'odd'),
    );
    const pipelines = ['a', 'b'].map((name) =>
      new ConcurrentPipeline(numbers(10), dispatcher.createSink()).name(name),
    );
    for (const pipeline of [...pipelines, ...pipelines]) otel(pipeline, { meter });
    otel(dispatcher, { meter });
    await dispatcher.subscribeSink(named('evens'), 'even');
    // Subscribed after it was asked for.
    const inner = new DispatchedPipelineBuilder<number>({ name: 'inner' }).broadcast();
    await dispatcher.subscribeSink(inner.createSink(), 'odd', { name: 'odds' });
    await inner.subscribeSink(named('one'));
    await collect();
    await time().run(Promise.all(pipelines.map((pipeline) => pipeline.run())));
    const { value } = await collect();
    const items = (stage: string, more = {}) => ({
      'streamweld.stage': stage,
      'streamweld.direction': 'in',
      ...more,
    });
    expect(
      value('streamweld.stage.items', items('evens', { 'streamweld.partition': 'even' }), 'halves'),
    ).toBe(10);
    expect(value('streamweld.stage.items', items('odds', { 'streamweld.partition': 'odd' }), 'halves')).toBe(
      10,
    );
    expect(value('streamweld.stage.items', items('one'), 'inner')).toBe(10);
    const writes = {
      'streamweld.stage': 'evens',
      'streamweld.partition': 'even',
      'streamweld.operation': 'write',
    };
    const [evens] = dispatcher.sinks();
    expect(evens?.delivered).toBe(10);
    expect((value('streamweld.stage.duration', writes, 'halves') as Histogram).count).toBeLessThanOrEqual(2);
  });

  it('counts a sink that left a dispatcher and came again under one name', async () => {
    const { meter, collect } = metricsInMemory();
    const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'all' }).broadcast();
    otel(dispatcher, { meter });
    const feed = new ConcurrentPipeline(numbers(100), dispatcher.createSink(10)).bufferSize(20);
    let first: Subscription | undefined;
    const seen: number[] = [];
    const leaving = named('log', {
      write: (batch) => {
        seen.push(...batch);
        if (seen.length < 50 || first === undefined) return;
        void first.unsubscribe();
        first = undefined;
      },
    });
    first = await dispatcher.subscribeSink(leaving);
    await dispatcher.subscribeSink(named('log'));
    await time().run(feed.run());
    expect(seen.length).toBeLessThan(100);
    expect(dispatcher.sinks().map(({ name, state }) => `${name} ${state}`)).toEqual([
      'log closed',
      'log closed',
    ]);
    const items = { 'streamweld.stage': 'log', 'streamweld.direction': 'in' };
    expect((await collect()).value('streamweld.stage.items', items, 'all')).toBe(100 + seen.length);
  });

  it('reads nothing between two collections, and lets go of what has ended or is not wanted any more', async () => {
    const { meter, collect } = metricsInMemory();
    const watch = (pipeline: ConcurrentPipeline<number>) => {
      const [open, snapshot] = [openOn(pipeline), vi.spyOn(pipeline, 'snapshot')];
      return { handle: otel(pipeline, { meter }), snapshot, open };
    };
    const pipeline = new ConcurrentPipeline(numbers(1000), named('log', { batching: { maxItems: 1 } }));
    const { open, snapshot } = watch(pipeline);
    expect(open()).toBe(1);
    await time().run(pipeline.run());
    expect(open()).toBe(0);
    // Once for the names of each kind of operation, and once at its end.
    expect(snapshot.mock.calls.length).toBeLessThanOrEqual(3);
    const looks = snapshot.mock.calls.length;
    await collect();
    expect(snapshot.mock.calls.length).toBe(looks);

    const stopped = new ConcurrentPipeline(numbers(10), named('log')).name('stopped');
    const watched = watch(stopped);
    watched.handle.stop();
    watched.handle.stop();
    expect(watched.open()).toBe(0);
    otel(stopped, { meter });
    await time().run(stopped.run());
    const items = { 'streamweld.stage': 'log', 'streamweld.direction': 'in' };
    expect((await collect()).value('streamweld.stage.items', items, 'stopped')).toBe(10);
    // Of one that is over the numbers are told, and not twice.
    otel(stopped, { meter });
    expect((await collect()).value('streamweld.stage.items', items, 'stopped')).toBe(10);
  });

  it('lets go of a dispatcher with the last that feeds it, and of one alone when it has closed', async () => {
    const { meter, collect } = metricsInMemory();
    const make = () => new DispatchedPipelineBuilder<number>({ name: 'all' }).broadcast();
    const [shared, alone] = [make(), make()];
    const open = [shared, alone].map(openOn);
    const feeds = [1, 2].map(() => new ConcurrentPipeline(numbers(10), shared.createSink()));
    const handles = feeds.map((feed) => otel(feed, { meter }));
    expect(open.map((each) => each())).toEqual([1, 0]);
    handles[0]?.stop();
    expect(open.map((each) => each())).toEqual([1, 0]);
    handles[1]?.stop();
    expect(open.map((each) => each())).toEqual([0, 0]);

    otel(alone, { meter });
    await alone.subscribeSink(named('log'));
    await collect();
    expect(open.map((each) => each())).toEqual([0, 1]);
    await time().run(new ConcurrentPipeline(numbers(10), alone.createSink()).run());
    await collect();
    expect(open.map((each) => each())).toEqual([0, 0]);
    const items = { 'streamweld.stage': 'log', 'streamweld.direction': 'in' };
    expect((await collect()).value('streamweld.stage.items', items, 'all')).toBe(10);
  });

  it('tells of messages by the conventions, where it is said which stages have them', async () => {
    const { meter, collect } = metricsInMemory();
    let hasFailed = false;
    const sink = named('out', {
      batching: { maxItems: 5 },
      write: () => {
        if (!hasFailed) {
          hasFailed = true;
          throw Object.assign(new Error('no leader'), { code: 'NOT_LEADER' });
        }
      },
    });
    const pipeline = new ConcurrentPipeline(numbers(20), sink).retry({ attempts: 2 });
    otel(pipeline, {
      meter,
      messaging: {
        array: { system: 'kafka', destination: 'orders', consumerGroup: 'billing' },
        out: { system: 'kafka', destination: 'bills' },
      },
    });
    await time().run(pipeline.run());
    const { metrics } = await collect();
    const pointsOf = (name: string) =>
      metrics
        .find(({ descriptor }) => descriptor.name === name)
        ?.dataPoints.map(({ attributes, value }) => ({ ...attributes, value }));
    const send = {
      'messaging.system.name': 'kafka',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'bills',
    };
    expect(pointsOf('messaging.client.consumed.messages')).toEqual([
      {
        'messaging.system.name': 'kafka',
        'messaging.operation.name': 'poll',
        'messaging.operation.type': 'receive',
        'messaging.destination.name': 'orders',
        'messaging.consumer.group.name': 'billing',
        value: 20,
      },
    ]);
    expect(pointsOf('messaging.client.sent.messages')).toEqual([
      { ...send, 'error.type': 'NOT_LEADER', value: 5 },
      { ...send, value: 20 },
    ]);
    const units = metrics.map(({ descriptor: { name, unit } }) => `${name} ${unit}`);
    expect(units).toContain('messaging.client.operation.duration s');
    expect(units).toContain('messaging.client.sent.messages {message}');
  });
});
