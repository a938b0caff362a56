/** What a sink has accepted and not made durable: it holds as much of it as it needs, and its run nothing. */

import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Deferred } from '../../src/connector.ts';
import { ConcurrentPipeline, type Sink } from '../../src/index.ts';

declare const gc: () => void;

it.each([{ retries: false }, { retries: true }])(
  'Items that were accepted are not kept until they are durable (with policies: $retries)',
  async ({ retries }) => {
    const items: WeakRef<object>[] = [];
    const durable = new Deferred();
    const accepted = new Deferred();
    let written = 0;
    const sink: Sink<object> = {
      write: (batch) => {
        written += batch.length;
        if (written === 400) accepted.resolve();
        return { durable: durable.promise };
      },
      flush: () => durable.promise,
    };
    const source = {
      pull: (demand: number) => {
        const count = Math.min(demand, 10, 400 - items.length);
        if (count === 0) return undefined;
        const some = Array.from({ length: count }, () => ({}));
        for (const item of some) items.push(new WeakRef(item));
        return { items: some, position: items.length };
      },
    };
    const pipeline = new ConcurrentPipeline(source, sink).bufferSize(20);
    if (retries) pipeline.retry({ attempts: 2 });
    const run = pipeline.run();
    await accepted.promise;
    for (let round = 0; round < 3; round += 1) {
      await turn();
      gc();
    }
    // The last few may still be held by the machine's own frames.
    expect(items.filter((item) => item.deref() !== undefined).length).toBeLessThan(40);
    durable.resolve();
    await run;
  },
);
