/** What a run makes of what its source says, beyond the ways it can end. */

import { describe, expect, it } from 'vitest';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Source } from '../../src/source.ts';
import { useVirtualClock } from '../clock.ts';
import { ControlledSource, CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { arrange, PLACES, Protocol, StagedSink, StagedSource } from './staging.ts';

const time = useVirtualClock();
useLeakCheck(time);

describe.each(PLACES)('in %s', (place) => {
  async function begin(source: Source<number, number>, protocol: Protocol) {
    const sink = new StagedSink(protocol);
    const pipeline = await arrange(place, source, sink);
    const ended = pipeline.run().then(
      () => undefined,
      (error: unknown) => error,
    );
    await time().settle();
    return { sink, pipeline, ended };
  }

  it('S5 S9 S21 what the outstanding pull answers to a stop is written, and committed after it', async () => {
    const protocol = new Protocol();
    const source = new StagedSource(protocol, async () => {});
    source.stop = () => {
      protocol.log.push('source stop');
      source.answer(1, 2);
    };
    const { sink, pipeline, ended } = await begin(source, protocol);
    void pipeline.drain();
    await time().settle();
    sink.next.resolve();
    expect(await time().run(ended)).toBeUndefined();
    expect(protocol.of('source')).toEqual([
      'open',
      'pull',
      'stop',
      'answer 1,2',
      'commit 2',
      'committed',
      'close',
    ]);
    expect(pipeline.report).toMatchObject({ outcome: 'drained', read: 2, written: 2 });
  });

  it('S9 a pull that does not heed the stop is named when the drain passes its deadline', async () => {
    const protocol = new Protocol();
    const source = new StagedSource(protocol, async () => {});
    source.stop = () => {};
    const { pipeline, ended } = await begin(source, protocol);
    pipeline.drain({ deadlineMs: 100 }).catch(() => {});
    const error = await time().run(ended);
    expect(error).toMatchObject({ code: 'SW_DRAIN_TIMEOUT' });
    expect(String(error)).toContain('a pull unanswered');
    expect(time().elapsed).toBe(100);
  });

  it('S1 a source in two runs at once is refused by the second, which leaves it alone, and serves a third', async () => {
    const protocol = new Protocol();
    const source = new StagedSource(protocol, async () => {});
    const first = await begin(source, protocol);
    const second = await begin(source, new Protocol());
    expect(await time().run(second.ended)).toMatchObject({ code: 'SW_SOURCE_IN_USE' });
    expect(protocol.of('source')).toEqual(['open', 'pull']);
    source.answer(1);
    await time().settle();
    first.sink.next.resolve();
    await time().settle();
    source.end();
    expect(await time().run(first.ended)).toBeUndefined();
    expect(first.pipeline.report).toMatchObject({ read: 1, written: 1 });
    expect(protocol.of('source').filter((call) => call === 'close')).toHaveLength(1);
    const third = await begin(source, new Protocol());
    expect(protocol.of('source').filter((call) => call === 'open')).toHaveLength(2);
    source.end();
    expect(await time().run(third.ended)).toBeUndefined();
  });

  it.each(['throws', 'rejects'])(
    'S1 S10 an open that %s is followed by its close only, with the failure',
    async (way) => {
      const calls: string[] = [];
      const cause = new Error('locked');
      const source: Source<number, number> = {
        open: () => {
          calls.push('open');
          if (way === 'throws') throw cause;
          return Promise.reject(cause);
        },
        pull: () => void calls.push('pull'),
        stop: () => void calls.push('stop'),
        commit: () => void calls.push('commit'),
        close: (reason) => void calls.push(`close: ${String((reason as { cause?: unknown }).cause)}`),
      };
      const { ended } = await begin(source, new Protocol());
      expect(await time().run(ended)).toMatchObject({ code: 'SW_SOURCE_FAILED', cause });
      expect(calls).toEqual(['open', 'close: Error: locked']);
    },
  );

  it('S3 is not asked for more than there is room, and never for less than one', async () => {
    const source = new CountingSource(200);
    const sink = { write: () => time().sleep(1) };
    const pipeline = (await arrange(place, source, sink)).bufferSize(10);
    await time().run(pipeline.run());
    expect(Math.max(...source.demands)).toBe(5);
    expect(Math.min(...source.demands)).toBeGreaterThan(0);
    expect(source.committed).toBe(200);
  });

  it('S8 a commit holds the lanes that moved since the last one, and no other', async () => {
    const commits: string[] = [];
    const lanes = ['a', 'a', 'b', 'a', 'c'];
    let position = 0;
    const source: Source<number, number> = {
      pull: async () => {
        await time().sleep(10);
        const lane = lanes[position];
        if (lane === undefined) return undefined;
        position += 1;
        return { items: [position], position, lane };
      },
      commit: (positions) => void commits.push([...positions].map(([lane, at]) => `${lane}${at}`).join()),
    };
    const pipeline = (await arrange(place, source, { write: () => {} })).commitEvery({ items: 1 });
    await time().run(pipeline.run());
    expect(commits).toEqual(['a1', 'a2', 'b3', 'a4', 'c5']);
  });

  it('S8 what was dropped on purpose holds no position back', async () => {
    const source = new CountingSource(10, { size: () => 1 });
    const written: number[] = [];
    const odd = from(source).filter((n) => n % 2 === 1 && n < 6);
    const pipeline = await arrange(place, odd, { write: (batch) => void written.push(...batch) });
    await time().run(pipeline.run());
    expect(written).toEqual([1, 3, 5]);
    expect(source.committed).toBe(10);
  });
});

describe('a run', () => {
  it('S10 that drained before it failed, with failFast(false), gives its source no reason', async () => {
    const source = new ControlledSource<number>();
    const pipeline = new ConcurrentPipeline(source, () => {}).failFast(false);
    const run = rejection(pipeline.run());
    await time().settle();
    source.lastPull.fail(new Error('gone'));
    expect(await time().run(run)).toMatchObject({ code: 'SW_SOURCE_FAILED' });
    expect(source.closedWith).toEqual([undefined]);
  });

  it('S21 with a store commits there first, and then to the source', async () => {
    const calls: string[] = [];
    const store = new MemoryCheckpointStore();
    const save = store.save.bind(store);
    store.save = (name, positions) => {
      calls.push(`save ${String(positions.get(''))}`);
      return save(name, positions);
    };
    const source = new CountingSource(10);
    source.commit = (positions) => void calls.push(`commit ${positions.get('')}`);
    await time().run(new ConcurrentPipeline(source, () => {}).checkpoint(store, 'job').run());
    expect(calls).toEqual(['save 10', 'commit 10']);
  });

  it('S2 S5 S10 over several sources keeps the rules towards each of them', async () => {
    const sources = [new ControlledSource<number>(), new ControlledSource<number>()];
    const [first, second] = sources as [ControlledSource<number>, ControlledSource<number>];
    const written: number[] = [];
    const pipeline = new ConcurrentPipeline(
      from(first).merge(second),
      (batch) => void written.push(...batch),
    );
    const run = pipeline.run();
    await time().settle();
    for (let round = 0; round < 5; round++) {
      first.lastPull.answer([round]);
      await time().settle();
    }
    first.lastPull.answer(undefined);
    await time().settle();
    const pulls = first.pulls.length;
    for (let round = 10; round < 15; round++) {
      second.lastPull.answer([round]);
      await time().settle();
    }
    second.lastPull.answer(undefined);
    await time().run(run);
    expect(written).toEqual([0, 1, 2, 3, 4, 10, 11, 12, 13, 14]);
    expect(first.pulls).toHaveLength(pulls);
    for (const source of sources) {
      expect(source.breaches).toEqual([]);
      expect(source.calls.filter((call) => call === 'close')).toHaveLength(1);
      expect(source.calls.at(-1)).toBe('close');
    }
  });

  it.each(['left', 'ended', 'failed'])(
    'S1 S2 S5 S10 that is an iteration over a flow and is %s',
    async (how) => {
      const protocol = new Protocol();
      const source = new StagedSource(protocol, async () => {});
      const items: number[] = [];
      const iteration = (async () => {
        for await (const item of from<number>(source)) {
          items.push(item);
          if (item === 3 && how === 'left') break;
        }
      })().catch((error: unknown) => error);
      await time().settle();
      source.answer(1, 2);
      await time().settle();
      source.answer(3);
      await time().settle();
      if (how === 'ended') source.end();
      if (how === 'failed') source.fail(new Error('gone'));
      const error = await time().run(iteration);
      expect(items).toEqual([1, 2, 3]);
      const calls = protocol.of('source').filter((call) => !call.startsWith('commit'));
      const answers = ['open', 'pull', 'answer 1,2', 'pull', 'answer 3'];
      if (how === 'ended') answers.push('pull', 'answer end');
      if (how === 'failed') answers.push('pull', 'answer failure');
      expect(calls.slice(0, -1)).toEqual(answers);
      expect(calls.at(-1)).toBe(how === 'failed' ? 'close: reason' : 'close');
      expect(error === undefined).toBe(how !== 'failed');
    },
  );
});
