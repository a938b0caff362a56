/** Faults of delivery that were found by trying to break it, each kept from coming back. */

import { describe, expect, it } from 'vitest';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { StreamWeldError } from '../../src/errors.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { DeadLetter } from '../../src/policy/dead-letter.ts';
import { RateLimit } from '../../src/policy/rate-limit.ts';
import type { Sink } from '../../src/sink.ts';
import { CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';
import { bad, LetterSink, outage, ScriptedSink } from './instruments.ts';

const time = useVirtualClock();
useLeakCheck(time);

describe('the letter of an array that batch() made', () => {
  it('lies between the first and the last of its source batches', async () => {
    const letters = new LetterSink();
    const sink: Sink<readonly number[]> = {
      name: 'arrays',
      write: () => {
        throw bad();
      },
    };
    const source = new CountingSource(12, { size: () => 2 });
    await time().run(
      new ConcurrentPipeline(from(source).batch(6), sink).deadLetter(letters).bufferSize(1).run(),
    );
    expect(letters.items.map(({ after, upTo }) => [after, upTo])).toEqual([
      [undefined, 6],
      [6, 12],
    ]);
    expect(source.committed).toBe(12);
  });
});

describe('the attempts of a letter of a branch that was detached', () => {
  const detached = async (
    attempts: number,
    rateLimit: RateLimit | undefined,
  ): Promise<readonly unknown[]> => {
    const letters = new LetterSink();
    const dispatcher = new DispatchedPipelineBuilder<number>({ logger: null }).broadcast();
    const sink = new ScriptedSink<number>({
      maxItems: 2,
      write: async () => {
        await time().sleep(10);
        throw outage();
      },
    });
    await dispatcher.subscribeSink(sink, undefined, {
      retry: { attempts },
      maxConcurrency: rateLimit === undefined ? 1 : 2,
      rateLimit,
      onError: 'detach',
      deadLetter: letters as Sink<DeadLetter<number>>,
    });
    await dispatcher.subscribeSink(() => {});
    await time().run(new ConcurrentPipeline(new CountingSource(4), dispatcher.createSink(4)).run());
    return letters.items.map(({ item, attempts }) => [item, attempts]);
  };

  it('are the writes that were tried', async () => {
    expect(await detached(3, undefined)).toEqual([
      [0, 3],
      [1, 3],
      [2, 0],
      [3, 0],
    ]);
  });

  it('are none, where the items only waited for their turn under a limit', async () => {
    expect(await detached(1, new RateLimit({ perSecond: 0.001, burst: 2 }))).toEqual([
      [0, 1],
      [1, 1],
      [2, 0],
      [3, 0],
    ]);
  });
});

describe('a drain that passes its deadline', () => {
  it('names the dead letter that holds it', async () => {
    const letters: Sink<DeadLetter> = { name: 'letters', write: () => new Promise<void>(() => {}) };
    const sink = new ScriptedSink<number>({
      write: () => {
        throw bad(0);
      },
    });
    const pipeline = new ConcurrentPipeline(new CountingSource(1), sink).deadLetter(letters);
    const run = rejection(pipeline.run());
    await time().advance(10);
    const error = await time().run(rejection(pipeline.drain({ deadlineMs: 100 })));
    expect(error).toMatchObject({ code: 'SW_DRAIN_TIMEOUT' });
    expect((error as StreamWeldError).message).toContain("letters that 'letters' has not made durable: 1");
    await time().run(run);
  });
});

describe('a dead letter that is never durable', () => {
  it.each([
    ['a source with positions', new CountingSource(3)],
    ['a source without', [1, 2, 3]],
  ])('fails the run of %s, and is named', async (_what, source) => {
    const letters: Sink<DeadLetter> = {
      name: 'letters',
      write: () => ({ durable: new Promise<void>(() => {}) }),
      flush: () => {},
    };
    const sink = new ScriptedSink<number>({
      atomic: true,
      write: () => {
        throw bad();
      },
    });
    const run = new ConcurrentPipeline<number>(source, sink).deadLetter(letters).run();
    const error = await time().run(rejection(run));
    expect(error).toMatchObject({ code: 'SW_DELIVERY_UNSETTLED', stage: 'letters' });
    expect((error as StreamWeldError).message).toContain("'letters'");
  });
});

describe('the dead letter of a subscription, never durable', () => {
  it('fails the run into its dispatcher, which has no positions to wait for', async () => {
    const letters: Sink<DeadLetter<number>> = {
      name: 'letters',
      write: () => ({ durable: new Promise<void>(() => {}) }),
      flush: () => {},
    };
    const dispatcher = new DispatchedPipelineBuilder<number>({ logger: null }).broadcast();
    const write = (): void => {
      throw bad(0);
    };
    await dispatcher.subscribeSink({ name: 'refuses', write }, undefined, { deadLetter: letters });
    const run = new ConcurrentPipeline([1, 2, 3], dispatcher.createSink(3)).run();
    expect(await time().run(rejection(run))).toMatchObject({
      code: 'SW_DEAD_LETTER_FAILED',
      stage: 'letters',
      cause: { code: 'SW_DELIVERY_UNSETTLED' },
    });
  });
});

describe('[exactly once] items that an operator sent to a dead letter', () => {
  it('hold their source batch until they are durable, and the buffer full of what follows is no fault', async () => {
    const durable: number[] = [];
    const waiting: (() => void)[] = [];
    const letters: Sink<DeadLetter> = {
      name: 'letters',
      write: (batch) => ({
        durable: new Promise((resolve) => {
          waiting.push(() => {
            for (const { item } of batch) durable.push(item as number);
            resolve();
          });
        }),
      }),
      flush: async () => {
        await time().sleep(50);
        for (const settle of waiting.splice(0)) settle();
      },
    };
    const held = new Map<string, unknown>();
    const past: number[] = [];
    const sink: Sink<number> = {
      name: 'keeping',
      keepsPositions: true,
      positions: () => new Map(held),
      write: (_batch, { positions }) => {
        for (const [lane, position] of positions ?? []) held.set(lane, position);
        const upTo = held.get('') as number;
        for (let item = 0; item < upTo; item += 7) if (!durable.includes(item)) past.push(item);
      },
    };
    const flow = from(new CountingSource(100, { size: () => 3 })).map(
      (item) => {
        if (item % 7 === 0) throw new Error('seven');
        return item;
      },
      { onError: 'deadLetter' },
    );
    const pipeline = new ConcurrentPipeline(flow, sink).bufferSize(12).deadLetter(letters);
    const report = await time().run(pipeline.checkpoint(new MemoryCheckpointStore(), 'job').run());
    expect(report).toMatchObject({ read: 100, written: 85, deadLettered: 15 });
    expect([past, held.get('')]).toEqual([[], 100]);
  });
});

describe('an error that cannot be looked into', () => {
  /** Throws whenever that property is read. */
  const sealed = (property: string, details: object): Error =>
    Object.defineProperty(Object.assign(new Error('sealed'), details), property, {
      get: () => {
        throw new Error('not for you');
      },
    });

  it('is taken for an outage that names nothing', async () => {
    let writes = 0;
    const write = async (): Promise<void> => {
      writes += 1;
      if (writes === 1) throw sealed('failed', {});
    };
    const report = await time().run(new ConcurrentPipeline([1, 2], { write }).retry({ attempts: 2 }).run());
    expect(report).toMatchObject({ written: 2, retried: 1 });
  });

  it('is described as far as it can be', async () => {
    const letters = new LetterSink();
    const write = async (): Promise<void> => {
      throw sealed('message', { retryable: false });
    };
    await time().run(new ConcurrentPipeline([1], { write }).deadLetter(letters).run());
    expect(letters.items.map(({ error }) => error)).toEqual([{ name: 'Error', message: '' }]);
  });
});

describe('waits between attempts', () => {
  it('stay none at all, however many there were', async () => {
    let writes = 0;
    const write = (): void => {
      writes += 1;
      if (writes < 1100) throw outage();
    };
    const pipeline = new ConcurrentPipeline([1], { write });
    await time().run(pipeline.retry({ attempts: 2000, backoff: { firstMs: 0 } }).run());
    expect([writes, time().elapsed]).toEqual([1100, 0]);
  });
});
