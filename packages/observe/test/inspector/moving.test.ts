/** What goes to the page between two samples says the same as a sample would. */

import { ConcurrentPipeline, DispatchedPipelineBuilder, from } from '@streamweld/core';
import { describe, expect, it } from 'vitest';
import { encodeMoved, encodeSample } from '../../src/inspector/encode.ts';
import { afterMoving } from '../../src/inspector/page/moving.ts';
import type { WireMoved, WireSample } from '../../src/inspector/wire.ts';
import type { Look } from '../../src/shared/graph.ts';
import type { Sample } from '../../src/shared/sample.ts';
import { Sampler } from '../../src/shared/sampler.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();

/** As it is after it went over the wire. */
function sent<T>(what: T): T {
  return JSON.parse(JSON.stringify(what)) as T;
}

/** Two sources, an operator, and a dispatcher with one sink slower than the other. */
async function watched() {
  const dispatcher = new DispatchedPipelineBuilder<number>({ name: 'all', bufferSize: 40 }).broadcast();
  for (const [name, ms] of [
    ['quick', 3],
    ['slow', 20],
  ] as const) {
    const write = (): Promise<void> => time().sleep(ms);
    await dispatcher.subscribeSink({ name, batching: { maxItems: 5 }, write });
  }
  const source = (name: string) => ({
    name,
    pull: async (demand: number) => {
      await time().sleep(2);
      return Array.from({ length: Math.min(demand, 3) }, (_, n) => n);
    },
  });
  const flow = from(source('a'))
    .merge(from(source('b')))
    .map((n) => n + 1);
  const pipeline = new ConcurrentPipeline(flow, dispatcher.createSink()).name('moving');
  const [samples, looks]: [Sample[], Look[]] = [[], []];
  /** Taken by somebody else, in the moment of the last look. */
  const truths: Sample[] = [];
  const stop = new Sampler().watch(pipeline, (sample) => void samples.push(sample), {
    moved: (look) => {
      looks.push(look);
      new Sampler().watch(pipeline, (other) => void truths.push(other))();
    },
  });
  const run = pipeline.run().catch(() => {});
  const end = async (): Promise<void> => {
    stop();
    await time().run(pipeline.abort().then(() => run));
  };
  return { pipeline, dispatcher, samples, looks, truths, end };
}

describe('what has moved since a sample', () => {
  it('makes of it what a sample taken then would say, but for what is worked out', async () => {
    const { samples, looks, truths, end } = await watched();
    await time().advance(2000);
    const sample = samples.at(-1) as Sample;
    looks.length = 0;
    while (looks.length === 0) await time().advance(5);
    const moved = sent(encodeMoved(looks.at(-1) as Look, sample) as WireMoved);
    const page = afterMoving(sent(encodeSample(sample)), moved);
    const wanted = sent(encodeSample(truths.at(-1) as Sample));
    const moving = ({ elapsedMs, read, written, stages, edges }: WireSample) => ({
      elapsedMs,
      read,
      written,
      edges,
      stages: stages.map(({ id, items, itemsIn, inFlight, activity }) => ({
        id,
        items,
        itemsIn,
        inFlight,
        activity,
      })),
    });
    expect(moving(page)).toEqual(moving(wanted));
    expect(moving(page)).not.toEqual(moving(sent(encodeSample(sample))));
    // What is worked out is that of the sample.
    expect(page.stages.map(({ rate, shares }) => ({ rate, shares }))).toEqual(
      sent(encodeSample(sample)).stages.map(({ rate, shares }) => ({ rate, shares })),
    );
    await end();
  });

  it('is not told of other stages than those of the sample, nor of another state', async () => {
    const { pipeline, dispatcher, samples, looks, end } = await watched();
    await time().advance(300);
    const sample = samples.at(-1) as Sample;
    expect(encodeMoved(looks.at(-1) as Look, sample)).toBeDefined();
    await dispatcher.subscribeSink(() => {}, undefined, { name: 'late' });
    await time().advance(300);
    expect(encodeMoved(looks.at(-1) as Look, sample)).toBeUndefined();
    const joined = samples.at(-1) as Sample;
    await time().run(pipeline.pause());
    await time().advance(300);
    expect(encodeMoved(looks.at(-1) as Look, joined)).toBeUndefined();
    await end();
  });
});
