/** One look at pipelines and dispatchers, real ones. */

import { ConcurrentPipeline, DispatchedPipelineBuilder, from } from '@streamweld/core';
import { describe, expect, it } from 'vitest';
import { lookAt } from '../../src/shared/graph.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();

describe('lookAt', () => {
  it('joins a pipeline and the dispatchers behind it to one graph', async () => {
    const halves = new DispatchedPipelineBuilder<number>({ name: 'halves' }).partition(
      ['even', 'odd'],
      (n) => (n % 2 === 0 ? 'even' : 'odd'),
    );
    await halves.subscribeSink(() => {}, 'even', { name: 'evens' });
    await halves.subscribeSink(() => {}, 'odd', { name: 'odds' });
    const all = new DispatchedPipelineBuilder<number>({ name: 'all' }).broadcast();
    await all.subscribeSink(halves.createSink());
    await all.subscribeSink(() => {}, undefined, { name: 'log' });
    const pipeline = new ConcurrentPipeline(
      from([1, 2, 3]).map((n) => n),
      all.createSink(),
    ).name('orders');

    const before = lookAt(pipeline);
    await time().run(pipeline.run());
    const after = lookAt(pipeline);
    for (const look of [before, after]) {
      expect(look.stages.map(({ id, kind }) => `${kind} ${id}`)).toEqual([
        'source array#0',
        'operator map#1',
        'dispatcher all#2',
        'dispatcher all#2/halves#0',
        'sink all#2/halves#0/evens#0',
        'sink all#2/halves#0/odds#1',
        'sink all#2/log#1',
      ]);
    }
    expect(after.edges.map((edge) => `${edge.from} > ${edge.to}`)).toEqual([
      'array#0 > map#1',
      'map#1 > all#2',
      'all#2 > all#2/halves#0',
      'all#2/halves#0 > all#2/halves#0/evens#0',
      'all#2/halves#0 > all#2/halves#0/odds#1',
      'all#2 > all#2/log#1',
    ]);
    expect([before.state, after.state, after.read, after.written]).toEqual(['idle', 'done', 3, 3]);
    const items = Object.fromEntries(after.stages.map((stage) => [stage.name, stage.items]));
    expect(items).toEqual({ array: 3, map: 3, all: 3, halves: 3, evens: 1, odds: 2, log: 3 });
    expect(after.stages.map(({ partition }) => partition)).toContain('even');
    expect(after.stages.map(({ strategy }) => strategy)).toContain('partition');
  });

  it('sees a dispatcher alone, whoever feeds it', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'workers' }).demand();
    await dispatcher.subscribeSink(() => {}, undefined, { name: 'a' });
    await dispatcher.subscribeSink(() => {}, undefined, { name: 'b' });
    const feed = new ConcurrentPipeline(from([1, 2, 3]), dispatcher.createSink(1));
    expect(lookAt(dispatcher)).toMatchObject({
      name: 'workers',
      kind: 'dispatcher',
      state: 'open',
      written: 0,
    });
    await time().run(feed.run());
    const look = lookAt(dispatcher);
    expect(look).toMatchObject({ state: 'closed', written: 3, read: undefined });
    expect(look.stages.map(({ id, kind }) => `${kind} ${id}`)).toEqual([
      'dispatcher workers',
      'sink workers/a#0',
      'sink workers/b#1',
    ]);
  });

  it('counts what is repeated and put aside where it happened', async () => {
    let calls = 0;
    const pipeline = new ConcurrentPipeline(from([1]), {
      name: 'shaky',
      write: () => {
        calls += 1;
        if (calls < 3) throw Object.assign(new Error(), { code: 'EAGAIN' });
      },
    }).retry({ attempts: 5, backoff: { firstMs: 1 } });
    await time().run(pipeline.run());
    const look = lookAt(pipeline);
    expect(look.stages.at(-1)).toMatchObject({ retried: 2, failures: [{ code: 'EAGAIN', count: 2 }] });
    expect(look.stages[0]).toMatchObject({ retried: 0, failures: [] });
    expect(look.retried).toBe(2);
  });
});
