/** The rules between a run and a sink that keeps positions, in the order they are asked for. */

import { describe, expect, it } from 'vitest';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Sink } from '../../src/sink.ts';
import type { Positioned, Source } from '../../src/source.ts';
import { useVirtualClock } from '../clock.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';

const time = useVirtualClock();
useLeakCheck(time);

type Log = string[];

/** Ten items a lane, in batches of two, from where it is told. */
function source(log: Log): Source<number, number> {
  let at = 0;
  return {
    open: ({ positions }) => {
      at = positions.get('') ?? 0;
      log.push(`source from ${at}`);
    },
    pull: (demand): Positioned<number, number> | undefined => {
      if (at >= 10) return undefined;
      const items = [at, at + 1].slice(0, demand);
      at += items.length;
      return { items, position: at };
    },
    comparePositions: (a, b) => a - b,
  };
}

function keeping(log: Log, held: number | undefined, fails?: () => void): Sink<number> {
  let writing = 0;
  return {
    name: 'keeping',
    keepsPositions: true,
    concurrency: 4,
    batching: { maxItems: 3 },
    open: ({ checkpoint }) => void log.push(`open ${checkpoint}`),
    positions: () => {
      log.push('positions');
      return new Map(held === undefined ? [] : [['', held]]);
    },
    write: async (batch, { positions, attempt }) => {
      log.push(`write ${batch.join()} upTo ${String(positions?.get(''))} attempt ${attempt}`);
      if (++writing > 1) log.push('beside another');
      await time().sleep(1);
      writing -= 1;
      fails?.();
    },
    keep: (positions) => void log.push(`keep ${String(positions.get(''))}`),
    flush: () => void log.push('flush'),
    close: (reason) => void log.push(reason === undefined ? 'close' : 'close: reason'),
  };
}

const PLACES = ['a pipeline', 'broadcast'] as const;

async function arrange(
  place: (typeof PLACES)[number],
  sink: Sink<number>,
  flow: Source<number, number> | ReturnType<typeof from<number>>,
  retry = 1,
): Promise<ConcurrentPipeline<number>> {
  const store = new MemoryCheckpointStore();
  if (place === 'a pipeline') {
    return new ConcurrentPipeline<number>(flow, sink).retry({ attempts: retry }).checkpoint(store, 'job');
  }
  const dispatcher = new DispatchedPipelineBuilder<number>({ checkpoint: 'job', logger: null }).broadcast();
  await dispatcher.subscribeSink(sink, undefined, { retry: { attempts: retry } });
  return new ConcurrentPipeline<number>(flow, dispatcher.createSink(10)).checkpoint(store, 'job');
}

describe.each(PLACES)('in %s', (place) => {
  const name = place === 'a pipeline' ? 'job' : 'job/keeping';

  it('K11 it is told its name, and asked for its positions once, after its open and before the source resumes', async () => {
    const log: Log = [];
    const pipeline = await arrange(place, keeping(log, 6), source(log));
    await time().run(pipeline.run());
    expect(log.slice(0, 3)).toEqual([`open ${name}`, 'positions', 'source from 6']);
    expect(log.filter((entry) => entry === 'positions')).toHaveLength(1);
  });

  it('K12 it is given whole batches, one write at a time, each with the position behind its last item', async () => {
    const log: Log = [];
    const pipeline = await arrange(place, keeping(log, undefined), source(log));
    await time().run(pipeline.run());
    expect(log).not.toContain('beside another');
    const writes = log.filter((entry) => entry.startsWith('write'));
    // Three items would go into a write, and no batch has an end there.
    if (place === 'a pipeline') {
      expect(writes).toEqual([0, 2, 4, 6, 8].map((n) => `write ${n},${n + 1} upTo ${n + 2} attempt 1`));
    }
    const items = writes.flatMap((entry) => (entry.split(' ')[1] as string).split(',').map(Number));
    expect(items).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const entry of writes) {
      const [, batch = '', , upTo] = entry.split(' ');
      expect(Number(upTo)).toBe(Number(batch.split(',').at(-1)) + 1);
      expect(Number(upTo) % 2).toBe(0);
    }
  });

  it('K12 each attempt of a write has the same items and the same positions', async () => {
    const log: Log = [];
    let left = 2;
    const busy = (): void => {
      if (left-- > 0) throw new Error('busy');
    };
    const pipeline = await arrange(place, keeping(log, undefined, busy), source(log), 3);
    await time().run(pipeline.run());
    const [first, second, third] = log.filter((entry) => entry.startsWith('write')) as [
      string,
      string,
      string,
    ];
    expect([second, third]).toEqual([first.replace(/1$/, '2'), first.replace(/1$/, '3')]);
  });

  it('K12 one that answers { durable } is SW_EXACTLY_ONCE_IMPOSSIBLE', async () => {
    const log: Log = [];
    const sink = keeping(log, undefined);
    sink.write = () => ({ durable: Promise.resolve() });
    const pipeline = await arrange(place, sink, source(log));
    const error = await time().run(rejection(pipeline.run()));
    expect(error).toMatchObject({ code: 'SW_EXACTLY_ONCE_IMPOSSIBLE' });
    expect(log.at(-1)).toBe('close: reason');
  });
});

describe('in a pipeline', () => {
  it('K14 it is given what no write brought once, behind its flush and before its close', async () => {
    const log: Log = [];
    // What is dropped comes later than the write before it.
    const flow = from<number>(source(log)).filter(async (n) => {
      if (n > 5) await time().sleep(10);
      return n < 5;
    });
    await time().run((await arrange('a pipeline', keeping(log, undefined), flow)).run());
    expect(log.slice(-4)).toEqual(['write 2,3,4 upTo 6 attempt 1', 'flush', 'keep 10', 'close']);
  });

  it('K14 it is given nothing where its last write brought all, nor where the run failed', async () => {
    const log: Log = [];
    await time().run((await arrange('a pipeline', keeping(log, undefined), source(log))).run());
    expect(log.slice(-2)).toEqual(['flush', 'close']);
    const failing: Log = [];
    const flow = from<number>(source(failing)).filter((n) => {
      if (n === 9) throw new Error('nine');
      return n < 5;
    });
    const pipeline = await arrange('a pipeline', keeping(failing, undefined), flow);
    await time().run(rejection(pipeline.run()));
    expect(failing.filter((entry) => entry.startsWith('keep'))).toEqual([]);
    expect(failing.at(-1)).toBe('close: reason');
  });

  it('K11 it is told no name without a checkpoint, and not asked', async () => {
    const log: Log = [];
    await time().run(new ConcurrentPipeline<number>(source(log), keeping(log, 6)).run());
    expect(log.slice(0, 2)).toEqual(['open undefined', 'source from 0']);
    expect(log).not.toContain('positions');
    expect(log[2]).toBe('write 0,1 upTo undefined attempt 1');
  });
});
