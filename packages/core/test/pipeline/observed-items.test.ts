/** Whoever observes sees the items of a pull and of a write, by reference: nothing is copied for it. */

import { describe, expect, it } from 'vitest';
import { ConcurrentPipeline, DispatchedPipelineBuilder, from } from '../../src/index.ts';

describe('OperationObserver', () => {
  it('is shown the very batch of a pull when it ends, and of a write when it begins', async () => {
    const batch = [{ n: 1 }, { n: 2 }];
    let left = [batch];
    const pulled: unknown[] = [];
    const written: unknown[] = [];
    const sunk: unknown[] = [];
    const pipeline = new ConcurrentPipeline(
      from({
        pull: () => {
          const [first] = left;
          left = [];
          return first;
        },
      }),
      (items) => void sunk.push(items),
    );
    pipeline.observe(({ kind, batch: items }) => {
      if (kind === 'write') written.push(items);
      return (end) => {
        if (kind === 'pull') pulled.push(end.batch);
      };
    });
    await pipeline.run();
    expect(pulled).toEqual([batch, undefined]);
    expect(pulled[0]).toBe(batch);
    expect(written).toHaveLength(1);
    expect(written[0]).toBe(sunk[0]);
  });

  it('is shown what a dispatcher hands to each of its sinks', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'all' }).broadcast();
    await dispatcher.subscribeSink({ name: 'a', write: () => {} });
    const seen: unknown[] = [];
    dispatcher.observe(({ batch }) => {
      seen.push(...(batch ?? []));
      return undefined;
    });
    await new ConcurrentPipeline(from([1, 2, 3]), dispatcher.createSink()).run();
    expect(seen).toEqual([1, 2, 3]);
  });
});
