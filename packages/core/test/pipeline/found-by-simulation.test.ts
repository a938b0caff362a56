/** Faults that the simulator found, each kept from coming back by the shortest way to it. */

import { describe, expect, it } from 'vitest';
import { Deferred } from '../../src/deferred.ts';
import { LaneBook } from '../../src/delivery/lane.ts';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { Parcel } from '../../src/delivery/parcel.ts';
import { WholeBatches } from '../../src/delivery/whole.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import type { SubscribeOptions } from '../../src/dispatch/subscribe-options.ts';
import type { StreamWeldError } from '../../src/errors.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { deadLetter, DeadLetterBox, type DeadLetter, describeError } from '../../src/policy/dead-letter.ts';
import { RateLimit } from '../../src/policy/rate-limit.ts';
import type { Sink, WriteContext } from '../../src/sink.ts';
import { ControlledSink, ControlledSource, CountingSource, deferringSink, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** Settles each write some time after it was accepted, and cannot be asked to hurry. */
class LateSink implements Sink<number> {
  readonly name = 'late';
  readonly calls: string[] = [];

  write(batch: readonly number[], context: WriteContext): void {
    const receipt = context.defer();
    void time()
      .sleep(5)
      .then(() => {
        this.calls.push(`durable ${batch.length}`);
        receipt.settle();
      });
  }

  close(): void {
    this.calls.push('close');
  }
}

describe('a sink that defers and has no flush', () => {
  it('K7 is waited for behind a dispatcher', async () => {
    const sink = new LateSink();
    const source = new CountingSource(4);
    const dispatcher = new DispatchedPipelineBuilder<number>().broadcast();
    await dispatcher.subscribeSink(sink);
    const report = await time().run(new ConcurrentPipeline(source, dispatcher.createSink()).run());
    expect(report.outcome).toBe('completed');
    expect(sink.calls.at(-1)).toBe('close');
    expect(source.committed).toBe(4);
  });

  it('K7 is waited for when it leaves', async () => {
    const sink = new LateSink();
    const stays = new ControlledSink<number>();
    const source = new ControlledSource<number>();
    const dispatcher = new DispatchedPipelineBuilder<number>().broadcast();
    await dispatcher.subscribeSink(stays);
    const subscription = await dispatcher.subscribeSink(sink);
    const run = new ConcurrentPipeline(source, dispatcher.createSink()).run();
    await time().advance(1);
    source.lastPull.answer({ items: [1], position: 1 });
    await time().advance(1);
    await time().run(subscription.unsubscribe());
    expect(sink.calls).toEqual(['durable 1', 'close']);
    stays.writes[0]?.accept();
    source.lastPull.answer(undefined);
    await time().run(run);
  });

  it('K7 is waited for where the source has no positions', async () => {
    const sink = new LateSink();
    await time().run(new ConcurrentPipeline([1, 2, 3], sink).run());
    expect(sink.calls).toEqual([...sink.calls.filter((call) => call !== 'close'), 'close']);
  });

  it('K7 is waited for no longer than closeMs', async () => {
    const sink: Sink<number> = { write: (_batch, context) => void context.defer() };
    const run = new ConcurrentPipeline(new CountingSource(3), sink).closeMs(50).run();
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_DELIVERY_UNSETTLED' });
    expect(time().elapsed).toBe(50);
  });
});

describe('a write that was given up', () => {
  it('K9 has a signal that is aborted, also for a sink that first looks at it then', async () => {
    const seen: boolean[] = [];
    const sink: Sink<number> = {
      write: async (_batch, context) => {
        if (context.attempt > 1) return;
        await time().sleep(200);
        seen.push(context.signal.aborted);
      },
    };
    const pipeline = new ConcurrentPipeline(new CountingSource(1), sink).retry({ attempts: 2 });
    await time().run(pipeline.writeTimeout(100).run());
    await time().advance(200);
    expect(seen).toEqual([true]);
  });
});

describe('a commit that is still on its way when the run has to end', () => {
  it('S10 does not reach a source that is closed', async () => {
    const source = new ControlledSource<number>();
    const store = { load: () => Promise.resolve(new Map()), save: () => time().sleep(100) };
    const pipeline = new ConcurrentPipeline(source, () => {}).closeMs(10).commitEvery({ items: 1 });
    const run = rejection(pipeline.checkpoint(store, 'job').run());
    await time().advance(1);
    source.pulls[0]?.answer({ items: [1], position: 1 });
    await time().advance(1);
    void pipeline.abort(new Error('enough')).catch(() => {});
    await time().run(run);
    await time().advance(1000);
    expect(source.calls.filter((call) => call !== 'pull')).toEqual(['open', 'close']);
  });
});

describe('batch', () => {
  it('makes no array of what it held when its run was abandoned', async () => {
    const source = new ControlledSource<number>();
    const sizes: number[] = [];
    const flow = from(source)
      .throttle(1, { perMs: 50 })
      .batch(2)
      .map((batch) => sizes.push(batch.length));
    const run = rejection(new ConcurrentPipeline(flow, () => {}).run());
    await time().advance(1);
    source.lastPull.answer({ items: [1], position: 1 });
    await time().advance(10);
    source.context?.fail(new Error('broken'));
    await time().run(run);
    await time().advance(100);
    expect(sizes).toEqual([]);
  });
});

describe('flatMap', () => {
  it('lets all of a batch go that comes when a take behind it has enough', async () => {
    const source = new ControlledSource<number>();
    const sink = new ControlledSink<number>();
    const flow = from(source)
      .flatMap((n) => (n === 1 ? [n] : [n, n, n, n, n, n]))
      .map(async (n) => n, { concurrency: 4 })
      .take(1);
    const run = new ConcurrentPipeline(flow, sink).run();
    await time().advance(1);
    source.lastPull.answer({ items: [1], position: 1 });
    await time().advance(1);
    expect(source.pulls.length).toBe(2);
    source.lastPull.answer({ items: [2], position: 2 });
    await time().advance(1);
    sink.writes[0]?.accept();
    expect(await time().run(run)).toMatchObject({ outcome: 'completed', written: 1 });
  });
});

describe('what is to be written whole', () => {
  it('K12 is nothing behind a batch that is lost, while one before that is still on its way', () => {
    const book = new LaneBook(() => {});
    const batches = new WholeBatches();
    const receipts = [1, 2, 3].map((position) => book.issue('', position, 1));
    const parcels = receipts.map((receipt) => new Parcel([receipt.position], receipt, null));
    expect(batches.choose(parcels.slice(0, 1)).chosen.length).toBe(1);
    expect(batches.choose(parcels.slice(1, 2)).chosen.length).toBe(1);
    receipts[1]?.fail();
    expect(batches.choose(parcels.slice(2)).chosen).toEqual([]);
  });
});

describe('several source batches as one item', () => {
  /** Two source batches of one item each as one, of which the odd item goes to the dead letter. */
  const pairs = (letters: Sink<DeadLetter>) => {
    const source = new CountingSource(4, { size: () => 1 });
    const written: number[] = [];
    const sink: Sink<number> = {
      keepsPositions: true,
      positions: () => new Map(),
      write: (batch) => void written.push(...batch),
    };
    const flow = from({
      name: source.name,
      pull: (demand: number) => source.pull(demand),
      comparePositions: (a: unknown, b: unknown) => Number(a) - Number(b),
    })
      .batch(2)
      .flatMap((pair) => pair)
      .map(
        (n) => {
          if (n % 2 === 1) throw new Error('odd');
          return n;
        },
        { onError: 'deadLetter' },
      );
    const pipeline = new ConcurrentPipeline(flow as never, sink).deadLetter(letters);
    return { pipeline, written };
  };

  it('K12 is looked at again when a letter of it is durable, and the rest of it can be written whole', async () => {
    const letters: Sink<DeadLetter> = { write: () => ({ durable: time().sleep(5) }) };
    const { pipeline, written } = pairs(letters);
    const run = pipeline.checkpoint(new MemoryCheckpointStore(), 'job').run();
    await time().advance(100);
    expect(written).toEqual([0, 2]);
    await time().run(run);
  });

  it('K12 is not looked at again when a letter of it is lost: the rest of it is not to be written', async () => {
    const letters: Sink<DeadLetter> = {
      write: async () => {
        await time().sleep(5);
        throw new Error('full');
      },
    };
    const { pipeline, written } = pairs(letters);
    const run = rejection(pipeline.checkpoint(new MemoryCheckpointStore(), 'job').run());
    expect(await time().run(run)).toMatchObject({ code: 'SW_DEAD_LETTER_FAILED' });
    expect(written).toEqual([]);
  });
});

describe('a paused run', () => {
  it.each(['batch', 'filter'] as const)('pulls nothing more for its %s', async (operator) => {
    const source = new CountingSource(100, { size: () => 1, wait: () => time().sleep(10) });
    const flow = operator === 'batch' ? from(source).batch(50) : from(source).filter((n) => n > 90);
    const written: unknown[] = [];
    const pipeline = new ConcurrentPipeline<unknown>(flow as never, (batch) => {
      written.push(...batch.flat());
    });
    const run = pipeline.run();
    await time().advance(25);
    void pipeline.pause();
    const { length } = source.demands;
    await time().advance(500);
    expect(source.demands.length).toBe(length);
    pipeline.resume();
    await time().run(run);
    expect(written.length).toBe(operator === 'batch' ? 100 : 9);
  });

  it('goes on when it is drained', async () => {
    const source = new CountingSource(100, { size: () => 1, wait: () => time().sleep(10) });
    const pipeline = new ConcurrentPipeline(from(source).batch(50), () => {});
    const run = pipeline.run();
    await time().advance(25);
    void pipeline.pause();
    await time().advance(100);
    void pipeline.drain();
    expect(await time().run(run)).toMatchObject({ outcome: 'drained', written: 1 });
  });
});

/** One item is bad; its letter becomes durable some time after it was accepted, by itself. */
function lateLetters(durableMs: number = 5): {
  readonly sink: Sink<number>;
  readonly letters: Sink<DeadLetter>;
} {
  return {
    sink: {
      atomic: true,
      write: (batch) => {
        if (batch.includes(1)) throw Object.assign(new Error('bad'), { retryable: false });
      },
      flush: () => {},
    },
    letters: { write: () => ({ durable: time().sleep(durableMs) }) },
  };
}

describe('a dead letter without flush', () => {
  it('K7 is waited for at the end of a run', async () => {
    const { sink, letters } = lateLetters();
    const source = new CountingSource(3);
    const pipeline = new ConcurrentPipeline(source, sink).retry({ attempts: 1 }).deadLetter(letters);
    expect(await time().run(pipeline.run())).toMatchObject({ written: 2, deadLettered: 1 });
    expect(source.committed).toBe(3);
  });

  it('K7 is waited for behind a dispatcher', async () => {
    const { sink, letters } = lateLetters();
    const source = new CountingSource(3);
    const dispatcher = new DispatchedPipelineBuilder<number>().broadcast();
    await dispatcher.subscribeSink(sink, undefined, { retry: { attempts: 1 }, deadLetter: letters });
    await time().run(new ConcurrentPipeline(source, dispatcher.createSink()).run());
    expect(source.committed).toBe(3);
  });

  it('K7 is waited for behind a dispatcher as long as its run has it, and no longer', async () => {
    const { sink, letters } = lateLetters(5000);
    for (const [closeMs, outcome] of [
      [6000, 'completed'],
      [4000, 'SW_DELIVERY_UNSETTLED'],
    ] as const) {
      const dispatcher = new DispatchedPipelineBuilder<number>().broadcast();
      const retry = { attempts: 1 };
      await dispatcher.subscribeSink(sink, undefined, { retry, deadLetter: { ...letters } });
      const pipeline = new ConcurrentPipeline(new CountingSource(3), dispatcher.createSink()).closeMs(
        closeMs,
      );
      const run = pipeline.run().then(
        (report) => report.outcome,
        (error: unknown) => (error as StreamWeldError).code,
      );
      expect(await time().run(run)).toBe(outcome);
    }
    await time().advance(5000);
  });

  it('K7 is waited for no longer than closeMs', async () => {
    const { sink } = lateLetters();
    const letters: Sink<DeadLetter> = { write: () => ({ durable: new Promise(() => {}) }) };
    const pipeline = new ConcurrentPipeline(new CountingSource(3), sink).retry({ attempts: 1 });
    const run = pipeline.deadLetter(letters).closeMs(50).run();
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_DELIVERY_UNSETTLED' });
    expect(time().elapsed).toBe(50);
  });
});

describe('DeadLetterBox', () => {
  it('K8 is not flushed when it was closed, or given up, while the flush waited for a write', async () => {
    for (const ends of ['close', 'halt'] as const) {
      const sink = new ControlledSink<DeadLetter>();
      const box = new DeadLetterBox(sink);
      await box.open({ signal: new AbortController().signal, fail: () => {} });
      const letter = deadLetter(1, describeError(new Error('bad')), 'stage', 1, undefined);
      box.put([letter], { accepted: () => {}, durable: () => {}, failed: () => {} });
      const flushed = box.flush();
      const ended = ends === 'close' ? box.close(new Error('abort')) : box.halt();
      sink.writes[0]?.accept();
      await Promise.all([flushed, ended]);
      expect(sink.calls).toEqual(['open', 'write', ...(ends === 'close' ? ['close'] : [])]);
    }
  });

  it('K2 writes one batch of letters at a time, whoever puts more in when one is accepted', async () => {
    const sink = Object.assign(new ControlledSink<DeadLetter>(), { batching: { maxItems: 1 } });
    const box = new DeadLetterBox(sink);
    await box.open({ signal: new AbortController().signal, fail: () => {} });
    const letter = deadLetter(1, describeError(new Error('bad')), 'stage', 1, undefined);
    const rest = { accepted: () => {}, durable: () => {}, failed: () => {} };
    box.put([letter], {
      ...rest,
      accepted: () => {
        box.put([letter], rest);
        box.put([letter], rest);
      },
    });
    sink.writes[0]?.accept();
    await time().advance(1);
    expect(sink.mostOutstanding).toBe(1);
    for (let at = 1; at < 3; at++) {
      sink.writes[at]?.accept();
      await time().advance(1);
    }
    expect(sink.writes.length).toBe(3);
    await box.close();
  });
});

describe('a sink that may be detached, when all is lost for another reason', () => {
  /** Three items are with a sink whose loss was consented to, and another sink fails the dispatcher. */
  const failBeside = async (
    sink: Sink<number>,
    options: SubscribeOptions<number> = {},
    meanwhile: () => void = () => {},
  ): Promise<{ committed: number; failed: number }> => {
    const source = new ControlledSource<number>();
    const dispatcher = new DispatchedPipelineBuilder<number>().broadcast();
    const subscription = await dispatcher.subscribeSink(sink, undefined, { ...options, onError: 'detach' });
    const beside = new ControlledSink<number>();
    await dispatcher.subscribeSink(beside);
    const pipeline = new ConcurrentPipeline(source, dispatcher.createSink()).commitEvery({ items: 1 });
    const run = rejection(pipeline.run());
    await time().advance(1);
    source.lastPull.answer({ items: [1, 2, 3], position: 3 });
    await time().advance(1);
    beside.writes[0]?.accept();
    await time().advance(1);
    beside.context?.fail(new Error('broken'));
    meanwhile();
    await time().run(run);
    return { committed: source.commits.at(-1)?.get('') ?? 0, failed: subscription.status.failed };
  };

  it('S8 loses nothing that waits to be written again', async () => {
    const sink: Sink<number> = { write: () => Promise.reject(new Error('for now')) };
    const retry = { attempts: 3, backoff: { firstMs: 100 } };
    expect((await failBeside(sink, { retry })).committed).toBe(0);
  });

  it('S8 loses nothing that waits for its turn under a limit', async () => {
    const rateLimit = new RateLimit({ perSecond: 1, burst: 1 });
    const sink = new ControlledSink<number>();
    const taken: number[] = [];
    const other = new DispatchedPipelineBuilder<number>().broadcast();
    await other.subscribeSink((batch) => void taken.push(...batch), undefined, { rateLimit });
    await time().run(new ConcurrentPipeline([0], other.createSink()).run());
    expect((await failBeside(sink, { rateLimit })).committed).toBe(0);
    expect([taken, sink.writes]).toEqual([[0], []]);
  });

  it.each([[{}], [{ retry: { attempts: 3 } }]])(
    'S8 loses nothing of a write that fails with it, with %j',
    async (options) => {
      const sink = new ControlledSink<number>();
      const fail = (): void => sink.writes[0]?.fail(new Error('too'));
      expect((await failBeside(sink, options, fail)).committed).toBe(0);
    },
  );

  it('S8 loses nothing that was not durable yet', async () => {
    const durable = new Deferred();
    const sink: Sink<number> = { write: () => ({ durable: durable.promise }) };
    const fail = (): void => durable.reject(new Error('too'));
    expect((await failBeside(sink, {}, fail)).committed).toBe(0);
  });

  it('S8 loses nothing that it took into its own hands', async () => {
    const sink = deferringSink<number>();
    const fail = (): void => {
      const [receipt] = sink.receipts;
      receipt?.retain(1);
      receipt?.fail(new Error('too'));
      receipt?.settle();
    };
    expect((await failBeside(sink, {}, fail)).committed).toBe(0);
  });
});

describe('a sink that is detached', () => {
  it('K5 has lost what it accepted and never made durable, and positions move on', async () => {
    const source = new ControlledSource<number>();
    const dispatcher = new DispatchedPipelineBuilder<number>().broadcast();
    const gone = new ControlledSink<number>();
    const subscription = await dispatcher.subscribeSink(gone, undefined, { onError: 'detach' });
    await dispatcher.subscribeSink(() => {});
    const run = new ConcurrentPipeline(source, dispatcher.createSink()).run();
    await time().advance(1);
    source.lastPull.answer({ items: [1, 2, 3], position: 3 });
    await time().advance(1);
    gone.writes[0]?.accept({ durable: new Promise(() => {}) });
    await time().advance(1);
    gone.context?.fail(new Error('broken'));
    await time().advance(1);
    source.lastPull.answer(undefined);
    expect(await time().run(run)).toMatchObject({ outcome: 'completed' });
    expect([source.commits.at(-1)?.get(''), subscription.status.failed]).toEqual([3, 3]);
  });
});
