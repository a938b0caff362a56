/**
 * The rules that a run keeps towards its source and its sink, at each of the ways it can end, and for a sink that is
 * subscribed to each kind of dispatcher.
 *
 * Each begins alike: items 1 and 2 are being written, 3 waits in the buffer, and a pull is outstanding.
 */

import { describe, expect, it } from 'vitest';
import type { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { useVirtualClock } from '../clock.ts';
import { useLeakCheck } from '../leak-check.ts';
import { arrange, type Place, PLACES, Protocol, StagedSink, StagedSource } from './staging.ts';

const time = useVirtualClock();
useLeakCheck(time);

interface Played {
  readonly source: StagedSource;
  readonly sink: StagedSink;
  readonly pipeline: ConcurrentPipeline<number>;
}

interface End {
  readonly name: string;
  readonly fails: boolean;
  readonly play: (played: Played) => Promise<void> | void;
}

const CAUSE = new Error('the end of it');

const ENDS: readonly End[] = [
  {
    name: 'its source ends',
    fails: false,
    play: async ({ source, sink }) => {
      source.end();
      await writeAll(sink);
    },
  },
  {
    name: 'its source ends after a pause',
    fails: false,
    play: async ({ source, sink, pipeline }) => {
      void pipeline.pause();
      source.answer(4);
      await time().settle();
      await writeAll(sink);
      pipeline.resume();
      await time().settle();
      source.end();
      await writeAll(sink);
    },
  },
  {
    name: 'it is drained',
    fails: false,
    play: async ({ sink, pipeline }) => {
      void pipeline.drain();
      await writeAll(sink);
    },
  },
  {
    name: 'it is drained past its deadline',
    fails: true,
    play: async ({ sink, pipeline }) => {
      pipeline.drain({ deadlineMs: 10 }).catch(() => {});
      await time().advance(11);
      sink.next.resolve();
    },
  },
  {
    name: 'it is aborted',
    fails: true,
    play: async ({ source, sink, pipeline }) => {
      void pipeline.abort(CAUSE);
      await time().settle();
      sink.next.resolve();
      source.answer(4);
    },
  },
  {
    name: 'it is aborted, and nobody heeds it',
    fails: true,
    play: async ({ pipeline }) => {
      void pipeline.abort(CAUSE);
      await time().advance(3000);
    },
  },
  {
    name: 'it is aborted while it drains',
    fails: true,
    play: async ({ sink, pipeline }) => {
      pipeline.drain().catch(() => {});
      await time().settle();
      void pipeline.abort(CAUSE);
      await time().settle();
      sink.next.resolve();
    },
  },
  {
    name: 'a pull fails',
    fails: true,
    play: async ({ source, sink }) => {
      source.fail(CAUSE);
      await time().settle();
      sink.next.resolve();
    },
  },
  {
    name: 'a write fails',
    fails: true,
    play: async ({ source, sink }) => {
      sink.next.reject(CAUSE);
      await time().settle();
      source.answer(4);
    },
  },
  {
    name: 'a later write fails',
    fails: true,
    play: async ({ source, sink }) => {
      sink.next.resolve();
      await time().settle();
      sink.next.reject(CAUSE);
      await time().settle();
      source.fail(new Error('late'));
    },
  },
  {
    name: 'its source fails between two calls',
    fails: true,
    play: async ({ source, sink }) => {
      source.context?.fail(CAUSE);
      await time().settle();
      sink.next.resolve();
    },
  },
  {
    name: 'its sink fails between two calls',
    fails: true,
    play: async ({ sink }) => {
      sink.context?.fail(CAUSE);
      await time().settle();
      sink.next.resolve();
    },
  },
  {
    name: 'the flush fails',
    fails: true,
    play: async ({ source, sink }) => {
      sink.failsToFlush = CAUSE;
      source.end();
      await writeAll(sink);
    },
  },
];

async function writeAll(sink: StagedSink): Promise<void> {
  for (await time().settle(); sink.outstanding.length > 0; await time().settle()) sink.next.resolve();
}

/** What was asked of both until long after the run had ended, and how it did. */
async function play(place: Place, end: End, atStart?: (played: Played) => void) {
  const protocol = new Protocol();
  const source = new StagedSource(protocol, (ms) => time().sleep(ms));
  const sink = new StagedSink(protocol);
  const pipeline = (await arrange(place, source, sink)).commitEvery({ items: 1 }).closeMs(1000);
  const run = pipeline.run().then(
    () => undefined,
    (error: unknown) => error,
  );
  await time().settle();
  source.answer(1, 2);
  await time().settle();
  source.answer(3);
  await time().settle();
  atStart?.({ source, sink, pipeline });
  await end.play({ source, sink, pipeline });
  const error = await time().run(run);
  const log = [...protocol.log];
  // Whatever comes now comes too late to be heard.
  if (source.isPulled) source.answer(9);
  for (const write of [...sink.outstanding]) write.resolve();
  await time().advance(10_000);
  return { source, sink, pipeline, error, log, of: protocol.of.bind(protocol) };
}

describe.each(PLACES)('in %s', (place) => {
  describe.each(ENDS)('when $name', (end) => {
    it('S1 K1 both are opened once, before anything else', async () => {
      const { of } = await play(place, end);
      for (const calls of [of('source'), of('sink')]) {
        expect(calls[0]).toBe('open');
        expect(calls.filter((call) => call === 'open')).toHaveLength(1);
      }
    });

    it('S2 a pull comes only when the one before is answered', async () => {
      const { of } = await play(place, end);
      const pulls = of('source').filter((call) => call === 'pull' || call.startsWith('answer'));
      expect(pulls.length).toBeGreaterThan(4);
      expect(pulls.filter((call, at) => (call === 'pull') !== (at % 2 === 0))).toEqual([]);
    });

    it('S5 nothing is pulled behind the end, nor once it was stopped', async () => {
      const { of } = await play(place, end);
      const calls = of('source');
      const last = calls.findIndex((call) => call === 'answer end' || call === 'stop');
      if (last >= 0) expect(calls.slice(last)).not.toContain('pull');
      expect(calls.slice(calls.findIndex((call) => call.startsWith('close')))).not.toContain('pull');
    });

    it('S8 no commit passes what is not durable, repeats another, or comes beside it', async () => {
      const { of, log } = await play(place, end);
      let durable = 0;
      let committed = 0;
      for (const entry of log) {
        if (entry.startsWith('sink written')) durable = Number(entry.split(/[ ,]/).at(-1));
        if (!entry.startsWith('source commit ')) continue;
        const position = Number(entry.split(' ').at(-1));
        expect(position).toBeLessThanOrEqual(durable);
        expect(position).toBeGreaterThan(committed);
        committed = position;
      }
      const commits = of('source').filter((call) => call.startsWith('commit'));
      expect(commits.filter((call, at) => (call === 'committed') !== (at % 2 === 1))).toEqual([]);
      // And at a good end it is the end.
      if (!end.fails) expect(committed).toBe(durable);
      if (!end.fails) expect(durable).toBeGreaterThanOrEqual(3);
    });

    it('S10 its source is closed once, last, with a reason exactly if the run failed', async () => {
      const { of, source, error, pipeline, log } = await play(place, end);
      const calls = of('source').filter((call) => !call.startsWith('answer'));
      expect(calls.filter((call) => call.startsWith('close'))).toHaveLength(1);
      expect(calls.at(-1)).toBe(end.fails ? 'close: reason' : 'close');
      expect(log).toContain(`source ${calls.at(-1)}`);
      expect(pipeline.state).toBe('done');
      expect(error === undefined).toBe(!end.fails);
      if (end.fails) expect([error, (error as Error).cause]).toContain(source.reason);
    });

    it('S11 what it answers after a failure or an abort is neither written nor committed', async () => {
      const { of } = await play(place, end);
      const touched = [...of('sink'), ...of('source').filter((call) => call.startsWith('commit '))];
      expect(touched.filter((call) => call.includes('9'))).toEqual([]);
      if (end.fails) expect(touched.filter((call) => call.includes('4'))).toEqual([]);
    });

    it('K2 K3 one write is outstanding, in the order of the source, and none is empty', async () => {
      const { of } = await play(place, end);
      const writes = of('sink').filter((call) => /^(write|written|refused) /.test(call));
      expect(writes.length).toBeGreaterThan(1);
      expect(writes.filter((call, at) => call.startsWith('write ') !== (at % 2 === 0))).toEqual([]);
      const items = writes.filter((_, at) => at % 2 === 0).flatMap((call) => call.slice(6).split(','));
      expect(items.slice(0, 2)).toEqual(['1', '2']);
      expect(items).toEqual(items.map((_, at) => String(at + 1)));
    });

    it('K7 it is flushed once, behind its last write, exactly if the run came so far', async () => {
      const { of } = await play(place, end);
      const calls = of('sink');
      const mayFlush = !end.fails || end.name === 'the flush fails';
      expect(calls.filter((call) => call === 'flush')).toHaveLength(mayFlush ? 1 : 0);
      if (mayFlush) expect(calls.at(-2)).toBe('flush');
      if (mayFlush) expect(calls.at(-3)).toMatch(/^written/);
    });

    it('K8 it is closed once, last, before the source, with a reason exactly if the run failed', async () => {
      const { of, sink, source, log } = await play(place, end);
      const calls = of('sink').filter((call) => !call.startsWith('written'));
      expect(calls.filter((call) => call.startsWith('close'))).toHaveLength(1);
      expect(calls.at(-1)).toBe(end.fails ? 'close: reason' : 'close');
      if (end.fails) expect(sink.reason).toBe(source.reason);
      // Before the run says that it has ended, whoever hangs.
      const closings = log.filter((entry) => / close/.test(entry));
      const how = end.fails ? 'close: reason' : 'close';
      expect(closings).toEqual([`sink ${how}`, `source ${how}`]);
    });

    it('K9 a write is named exactly if it ended the patience of an abort', async () => {
      const { error } = await play(place, end);
      const { suppressed = [] } = (error ?? {}) as { suppressed?: unknown[] };
      const isNamed = suppressed.some((other) => String(other).includes("writing to 'staged sink'"));
      expect(isNamed).toBe(end.name === 'it is aborted, and nobody heeds it');
    });

    it('K9 the signals of a write, of its sink and of the source abort exactly if the run failed', async () => {
      const aborted: unknown[] = [];
      const { sink } = await play(place, end, ({ source, sink: { next, context } }) => {
        for (const signal of [next.context.signal, context?.signal, source.context?.signal]) {
          signal?.addEventListener('abort', () => aborted.push(signal.reason), { once: true });
        }
      });
      expect(aborted).toEqual(end.fails ? [sink.reason, sink.reason, sink.reason] : []);
    });
  });
});
