/**
 * GenStage's dispatcher cases, restated. A subscription's demand is the room in its buffer less what is in flight; to ask
 * is that room growing. Where a case is about an answer alone, it is put to the strategy; where it is about what waits,
 * comes and goes, to a dispatcher. Numbers, and what cannot apply, are in genstage.md.
 */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BroadcastStrategy } from '../../src/dispatch/broadcast.ts';
import { DispatchedPipelineBuilder } from '../../src/dispatch/builder.ts';
import { DemandStrategy } from '../../src/dispatch/demand.ts';
import { PartitionStrategy } from '../../src/dispatch/partition.ts';
import { UNROUTED } from '../../src/dispatch/strategy.ts';
import { useLeakCheck } from '../leak-check.ts';
import { VirtualClock } from '@streamweld/testing';
import { useVirtualClock } from '../clock.ts';
import { GatedSink, HandFeed, Recorder, rejection, tick } from './instruments.ts';
import { outlet, StrategyTable } from './strategy-table.ts';

useVirtualClock();
useLeakCheck();

const letters = (text: string): string[] => text.split('');

const builder = <T>(): DispatchedPipelineBuilder<T> => new DispatchedPipelineBuilder<T>({ logger: null });

describe('Dispatcher by demand', () => {
  it('[GenStage D1] has nothing left of a sink that came and went', async () => {
    const dispatcher = builder<string>().demand();
    const subscription = await dispatcher.subscribeSink(new Recorder<string>());
    await subscription.unsubscribe();
    expect(dispatcher.snapshot()).toMatchObject({ demand: 0, waiting: 0, state: 'open' });
    expect(dispatcher.sinks()).toMatchObject([{ state: 'closed', demand: 0, buffered: 0 }]);
  });

  it('[GenStage D2] counts the demand of those who are there, and keeps what is offered to nobody', async () => {
    const dispatcher = builder<string>().demand();
    const feed = new HandFeed(dispatcher);
    const first = await dispatcher.subscribeSink(new Recorder<string>(), undefined, { bufferSize: 10 });
    expect(dispatcher.snapshot().demand).toBe(10);
    await first.unsubscribe();
    expect(dispatcher.snapshot().demand).toBe(0);
    const second = await dispatcher.subscribeSink(new Recorder<string>(), undefined, { bufferSize: 5 });
    expect(dispatcher.snapshot().demand).toBe(5);
    await second.unsubscribe();
    const write = await feed.write('a', 'b', 'c');
    expect([write.state, dispatcher.snapshot().waiting]).toEqual(['waiting', 3]);
    const third = new Recorder<string>();
    await dispatcher.subscribeSink(third);
    await tick();
    expect([write.state, third.items]).toEqual(['accepted', ['a', 'b', 'c']]);
  });

  it('[GenStage D3] gives what the leaver would have got to the other, as far as it has room', async () => {
    const dispatcher = builder<string>().demand();
    const feed = new HandFeed(dispatcher);
    const [left, right] = [new GatedSink<string>('left'), new GatedSink<string>('right')];
    const subscription = await dispatcher.subscribeSink(left, undefined, { bufferSize: 3 });
    await dispatcher.subscribeSink(right, undefined, { bufferSize: 3 });
    expect(dispatcher.snapshot().demand).toBe(6);
    await subscription.unsubscribe();
    const write = await feed.write('a', 'b', 'c', 'd', 'e');
    expect([left.held, right.held]).toEqual([[], ['a', 'b', 'c']]);
    expect([write.state, dispatcher.snapshot().waiting]).toEqual(['waiting', 2]);
  });

  it('[GenStage D4] gives as much as there is demand for, and keeps the rest', () => {
    const table = new StrategyTable(new DemandStrategy<string>(), [outlet('a', 3)]);
    expect(table.dispatch(['a'])).toEqual({ deliveries: [['a', ['a']]], left: [] });
    expect(table.demands).toEqual({ a: 2 });
    table.ask('a', 3);
    expect(table.dispatch(letters('bcdefgh'))).toEqual({
      deliveries: [['a', ['b', 'c', 'd', 'e', 'f']]],
      left: ['g', 'h'],
    });
    expect(table.dispatch(['i', 'j'])).toEqual({ deliveries: [], left: ['i', 'j'] });
  });

  it('[GenStage D5] orders by demand, and a demand that grows moves up', () => {
    const order = (demands: readonly number[]): string[] => {
      const outlets = demands.map((demand, index) => outlet<number>('abc'[index] as string, demand));
      const items = Array.from({ length: 30 }, (_, index) => index);
      return new StrategyTable(new DemandStrategy<number>(), outlets)
        .dispatch(items)
        .deliveries.map(([name, given]) => `${name}${given.length}`);
    };
    expect(order([4, 2, 3])).toEqual(['a4', 'c3', 'b2']);
    // The second asks 2 more: it has as many as the first, and comes after it; the third then asks the most.
    expect(order([4, 4, 3])).toEqual(['a4', 'b4', 'c3']);
    expect(order([4, 4, 5])).toEqual(['c5', 'a4', 'b4']);
    expect(order([4, 6, 5])).toEqual(['b6', 'c5', 'a4']);
  });

  it('[GenStage D6] gives to the one with more first, and to equals in turn', () => {
    const table = new StrategyTable(new DemandStrategy<string>(), [outlet('1', 3), outlet('2', 2)]);
    expect(table.dispatch(letters('abcde')).deliveries).toEqual([
      ['1', ['a', 'b', 'c']],
      ['2', ['d', 'e']],
    ]);
    expect(table.dispatch(letters('fgh'))).toEqual({ deliveries: [], left: ['f', 'g', 'h'] });
    const equals = new StrategyTable(new DemandStrategy<string>(), [outlet('1', 3), outlet('2', 3)]);
    expect(equals.dispatch(['a', 'b']).deliveries).toEqual([['1', ['a', 'b']]]);
    expect(equals.dispatch(['c', 'd']).deliveries).toEqual([['2', ['c', 'd']]]);
    expect(equals.dispatch(['e', 'f', 'g'])).toEqual({
      deliveries: [
        ['1', ['e']],
        ['2', ['f']],
      ],
      left: ['g'],
    });
  });

  it('[GenStage D7] with shuffle gives everybody what they have demand for, in an order of chance', () => {
    const first = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const clock = new VirtualClock({ seed });
      const table = new StrategyTable(new DemandStrategy<number>(() => clock.random()), [
        outlet('1', 2),
        outlet('2', 2),
      ]);
      const { deliveries, left } = table.dispatch([1, 2, 3, 4]);
      expect(left).toEqual([]);
      expect(deliveries.map(([, items]) => items)).toEqual([
        [1, 2],
        [3, 4],
      ]);
      first.add((deliveries[0] as readonly [string, unknown])[0]);
    }
    expect([...first].sort()).toEqual(['1', '2']);
  });

  it('[GenStage D8] flushes at once when nothing is held', async () => {
    const dispatcher = builder<string>().demand();
    const feed = new HandFeed(dispatcher);
    const sink = new Recorder<string>();
    await dispatcher.subscribeSink(sink);
    await feed.flush().promise;
    expect(sink.calls).toEqual(['open', 'flush']);
  });
});

describe('Dispatcher by broadcast', () => {
  it('[GenStage B1] has nothing left of a sink that came and went', async () => {
    const dispatcher = builder<string>().broadcast();
    const subscription = await dispatcher.subscribeSink(new Recorder<string>());
    await subscription.unsubscribe();
    expect(dispatcher.snapshot()).toMatchObject({ demand: 0, waiting: 0, state: 'open' });
  });

  it('[GenStage B2] keeps what is offered to nobody', async () => {
    const dispatcher = builder<string>().broadcast();
    const feed = new HandFeed(dispatcher);
    const subscription = await dispatcher.subscribeSink(new Recorder<string>(), undefined, {
      bufferSize: 10,
    });
    expect(dispatcher.snapshot().demand).toBe(10);
    await subscription.unsubscribe();
    expect(dispatcher.snapshot().demand).toBe(0);
    expect([(await feed.write('a', 'b', 'c')).state, dispatcher.snapshot().waiting]).toEqual(['waiting', 3]);
  });

  it('[GenStage B3] has the demand of the newcomer alone once the one before has left', async () => {
    const dispatcher = builder<string>().broadcast();
    const first = await dispatcher.subscribeSink(new Recorder<string>(), undefined, { bufferSize: 10 });
    await dispatcher.subscribeSink(new Recorder<string>(), undefined, { bufferSize: 4 });
    expect(dispatcher.snapshot().demand).toBe(4);
    await first.unsubscribe();
    expect(dispatcher.snapshot().demand).toBe(4);
    const third = new Recorder<string>();
    await dispatcher.subscribeSink(third, undefined, { bufferSize: 10 });
    expect(dispatcher.snapshot().demand).toBe(4);
  });

  it('[GenStage B4] has more demand at once when the one that had least leaves', async () => {
    const dispatcher = builder<string>().broadcast();
    const feed = new HandFeed(dispatcher);
    const [quick, stuck] = [new Recorder<string>(), new GatedSink<string>()];
    await dispatcher.subscribeSink(quick, undefined, { bufferSize: 10 });
    const slow = await dispatcher.subscribeSink(stuck, undefined, { bufferSize: 1 });
    await feed.write('a');
    expect(dispatcher.snapshot().demand).toBe(0);
    const leaving = slow.unsubscribe();
    expect(dispatcher.snapshot().demand).toBe(10);
    expect((await feed.write('b', 'c')).state).toBe('accepted');
    expect(quick.items).toEqual(['a', 'b', 'c']);
    await stuck.release();
    await leaving;
    expect(stuck.items).toEqual(['a']);
  });

  it('[GenStage B5] gives to all what all have demand for, and keeps the rest', () => {
    const table = new StrategyTable(new BroadcastStrategy<string>(), [outlet('A', 3), outlet('B', 2)]);
    expect(table.dispatch(['a', 'b']).deliveries).toEqual([
      ['A', ['a', 'b']],
      ['B', ['a', 'b']],
    ]);
    table.ask('B', 2);
    expect(table.dispatch(['c', 'd'])).toEqual({
      deliveries: [
        ['A', ['c']],
        ['B', ['c']],
      ],
      left: ['d'],
    });
    expect(table.dispatch(['d'])).toEqual({ deliveries: [], left: ['d'] });
    table.ask('A', 1);
    table.outlets.push(outlet('C', 0));
    expect(table.dispatch(['d', 'e'])).toEqual({ deliveries: [], left: ['d', 'e'] });
    table.ask('A', 2);
    table.ask('B', 2);
    table.ask('C', 3);
    expect(table.dispatch(['d', 'e', 'f'])).toEqual({
      deliveries: ['A', 'B', 'C'].map((name) => [name, ['d', 'e', 'f']]),
      left: [],
    });
    expect(table.demands).toEqual({ A: 0, B: 0, C: 0 });
  });

  it('[GenStage B6] gives a newcomer what comes from then on, to the demand of both', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const [a, b] = [new GatedSink<number>('a'), new GatedSink<number>('b')];
    await dispatcher.subscribeSink(a, undefined, { bufferSize: 10 });
    await feed.write(1, 2, 3);
    await dispatcher.subscribeSink(b, undefined, { bufferSize: 20 });
    expect(dispatcher.snapshot().demand).toBe(7);
    expect((await feed.write(4, 5, 6, 7, 8, 9, 10)).state).toBe('accepted');
    expect(dispatcher.sinks().map(({ demand }) => demand)).toEqual([0, 13]);
    await a.releaseAll();
    await b.releaseAll();
    expect([a.items.length, b.items]).toEqual([10, [4, 5, 6, 7, 8, 9, 10]]);
  });

  it('[GenStage B7] serves a newcomer after everybody had left', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const first = await dispatcher.subscribeSink(new Recorder<number>(), undefined, { bufferSize: 10 });
    await first.unsubscribe();
    const sink = new GatedSink<number>();
    await dispatcher.subscribeSink(sink, undefined, { bufferSize: 5 });
    expect((await feed.write(1, 2, 3)).state).toBe('accepted');
    expect([sink.held, dispatcher.snapshot().demand]).toEqual([[1, 2, 3], 2]);
  });

  it('[GenStage B8] moves what waited at once when the one in the way leaves', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const [quick, blocker] = [new Recorder<number>(), new GatedSink<number>()];
    await dispatcher.subscribeSink(quick);
    const blocking = await dispatcher.subscribeSink(blocker, undefined, { bufferSize: 1 });
    const write = await feed.write(1, 2, 3);
    expect([write.state, quick.items]).toEqual(['waiting', [1]]);
    const leaving = blocking.unsubscribe();
    await tick();
    expect([write.state, quick.items]).toEqual(['accepted', [1, 2, 3]]);
    await blocker.release();
    await leaving;
  });

  it('[GenStage B9] gives each selector its own, and what it leaves out costs no demand', () => {
    const table = new StrategyTable(new BroadcastStrategy<number>(), [
      outlet('A', 4, (n) => n !== 3),
      outlet('B', 4, (n) => n > 2),
    ]);
    expect(table.dispatch([1, 2, 3, 4])).toEqual({
      deliveries: [
        ['A', [1, 2, 4]],
        ['B', [3, 4]],
      ],
      left: [],
    });
    expect(table.demands).toEqual({ A: 1, B: 2 });
  });

  it('[GenStage B9] refuses a selector that is no function', async () => {
    const dispatcher = builder<number>().broadcast();
    expect(
      await rejection(
        dispatcher.subscribeSink(new Recorder<number>(), undefined, { selector: 'even' as never }),
      ),
    ).toMatchObject({ code: 'SW_OPTION_INVALID', option: 'subscribeSink.selector' });
  });

  it('[GenStage B10] flushes at once when nothing is held', async () => {
    const dispatcher = builder<string>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sinks = [new Recorder<string>(), new Recorder<string>()];
    for (const sink of sinks) await dispatcher.subscribeSink(sink);
    await feed.flush().promise;
    expect(sinks.map(({ calls }) => calls)).toEqual([
      ['open', 'flush'],
      ['open', 'flush'],
    ]);
  });

  it('[GenStage B11] refuses the same sink twice, and the first subscription goes on', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink);
    expect(await rejection(dispatcher.subscribeSink(sink))).toMatchObject({ code: 'SW_SUBSCRIPTION_EXISTS' });
    await feed.write(1);
    expect([sink.items, sink.calls]).toEqual([[1], ['open']]);
  });
});

describe('Dispatcher by partition', () => {
  it('[GenStage P1] holds what is offered to nobody, for each partition, up to its bound', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ logger: null, bufferSize: 3 }).partition(
      ['even', 'odd'],
      (n) => (n % 2 === 0 ? 'even' : 'odd'),
    );
    const feed = new HandFeed(dispatcher);
    const first = await dispatcher.subscribeSink(new Recorder<number>(), 'even');
    await first.unsubscribe();
    expect((await feed.write(1, 2, 3, 4)).state).toBe('accepted');
    const second = await feed.write(5, 7);
    expect([second.state, dispatcher.snapshot().waiting]).toEqual(['waiting', 1]);
    const [even, odd] = [new Recorder<number>(), new Recorder<number>()];
    await dispatcher.subscribeSink(even, 'even');
    await dispatcher.subscribeSink(odd, 'odd');
    await tick();
    expect([even.items, odd.items, second.state]).toEqual([[2, 4], [1, 3, 5, 7], 'accepted']);
  });

  it('[GenStage P2] gives a partition what it has demand for, and keeps the rest', () => {
    const table = new StrategyTable(new PartitionStrategy<number>({ kind: 'index', route: () => 0 }), [
      outlet('0', 3),
    ]);
    expect(table.dispatch([1]).deliveries).toEqual([['0', [1]]]);
    table.ask('0', 3);
    expect(table.dispatch([2, 5, 6, 7, 8, 9, 11])).toEqual({
      deliveries: [['0', [2, 5, 6, 7, 8]]],
      left: [9, 11],
    });
    expect(table.demands).toEqual({ 0: 0 });
  });

  it('[GenStage P3] does so for partitions of any name', async () => {
    const dispatcher = builder<number>().partition(['odd', 'even'], (n) => (n % 2 === 0 ? 'even' : 'odd'));
    const feed = new HandFeed(dispatcher);
    const odd = new GatedSink<number>();
    await dispatcher.subscribeSink(odd, 'odd', { bufferSize: 5 });
    const write = await feed.write(1, 3, 5, 7, 9, 11, 13);
    expect([odd.held, write.state]).toEqual([[1, 3, 5, 7, 9], 'waiting']);
    await odd.release();
    expect([odd.items, odd.held, write.state]).toEqual([[1, 3, 5, 7, 9], [11, 13], 'accepted']);
  });

  it('[GenStage P4] lets an item that fits nowhere cost no demand', () => {
    const strategy = new PartitionStrategy<number>({
      kind: 'index',
      route: (n) => (n % 3 === 0 ? UNROUTED : n % 2),
    });
    const table = new StrategyTable(strategy, [outlet('even', 4), outlet('odd', 4)]);
    const items = Array.from({ length: 15 }, (_, index) => index + 1);
    expect(table.dispatch(items)).toEqual({
      deliveries: [
        ['even', [2, 4, 8, 10]],
        ['odd', [1, 5, 7, 11]],
        ['unrouted', [3, 6, 9, 12]],
      ],
      left: [13, 14, 15],
    });
    expect(table.demands).toEqual({ even: 0, odd: 0 });
  });

  it('[GenStage P5] gives what was held for a partition to the sink that comes for it, in order', async () => {
    const dispatcher = new DispatchedPipelineBuilder<number>({ logger: null, bufferSize: 5 }).partition(
      2,
      () => 0,
    );
    const feed = new HandFeed(dispatcher);
    await feed.write(1, 2, 5, 6, 7);
    const more = await feed.write(8, 9);
    expect(more.state).toBe('waiting');
    const sinks = [new Recorder<number>(), new Recorder<number>()];
    await dispatcher.subscribeSink(sinks[0] as Recorder<number>, 0);
    await dispatcher.subscribeSink(sinks[1] as Recorder<number>, 1);
    await tick();
    expect(sinks.flatMap(({ items }) => items)).toEqual([1, 2, 5, 6, 7, 8, 9]);
    expect(more.state).toBe('accepted');
  });

  it('[GenStage P6] holds for a partition what it has no demand for, while others have some', async () => {
    const dispatcher = builder<number>().partition(['0', '1'], () => '0');
    const feed = new HandFeed(dispatcher);
    const [busy, idle] = [new GatedSink<number>('busy', { maxItems: 5 }), new Recorder<number>()];
    await dispatcher.subscribeSink(busy, '0', { bufferSize: 5 });
    await dispatcher.subscribeSink(idle, '1', { bufferSize: 5 });
    const write = await feed.write(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    expect([busy.held, write.state]).toEqual([[1, 2, 3, 4, 5], 'waiting']);
    await busy.release();
    expect([busy.held, write.state]).toEqual([[6, 7, 8, 9, 10], 'accepted']);
    expect(idle.items).toEqual([]);
  });

  it('[GenStage P7] hands what a leaving sink had not got on to the next, and then the flush is through', async () => {
    const dispatcher = builder<number>().partition(['0', '1'], () => '0');
    const feed = new HandFeed(dispatcher);
    const gone = new GatedSink<number>('gone', { maxItems: 1 });
    const subscription = await dispatcher.subscribeSink(gone, '0', { onError: 'detach' });
    await feed.write(1, 2, 3, 4, 5);
    const flush = feed.flush();
    await gone.fail(new Error('gone'));
    expect(subscription.status).toMatchObject({ state: 'detached', failed: 1 });
    expect(flush.isDone).toBe(false);
    const next = new Recorder<number>();
    await dispatcher.subscribeSink(next, '0');
    await flush.promise;
    expect([next.items, flush.error]).toEqual([[2, 3, 4, 5], undefined]);
  });

  it('[GenStage P8] flushes at once when nothing is held', async () => {
    const dispatcher = builder<number>().partition(2, (n) => n);
    const feed = new HandFeed(dispatcher);
    const sink = new Recorder<number>();
    await dispatcher.subscribeSink(sink, 0);
    await feed.flush().promise;
    expect(sink.calls).toEqual(['open', 'flush']);
  });

  it('[GenStage P9] flushes at once when nobody is subscribed and nothing is held', async () => {
    const feed = new HandFeed(builder<number>().partition(2, (n) => n));
    const flush = feed.flush();
    await flush.promise;
    expect(flush.error).toBeUndefined();
  });

  it('[GenStage P10] flushes behind what is held', async () => {
    const dispatcher = builder<number>().partition(1, () => 0);
    const feed = new HandFeed(dispatcher);
    await feed.write(1, 2, 3);
    const flush = feed.flush();
    await tick();
    expect(flush.isDone).toBe(false);
    const sink = new GatedSink<number>('late', { maxItems: 2 });
    await dispatcher.subscribeSink(sink, 0);
    await tick();
    expect([flush.isDone, sink.held]).toEqual([false, [1, 2]]);
    await sink.release();
    expect([flush.isDone, sink.held]).toEqual([false, [3]]);
    await sink.release();
    await flush.promise;
    expect(sink.calls).toEqual(['open', 'flush']);
  });

  it('[GenStage P11] fails for an unknown partition, unless that is provided for', async () => {
    const dispatcher = builder<number>().partition(['a'], () => 'b' as 'a');
    const feed = new HandFeed(dispatcher);
    await dispatcher.subscribeSink(new Recorder<number>(), 'a');
    const write = await feed.write(1);
    expect(write.receipt).toBe('failed');
    expect(feed.failures).toMatchObject([{ code: 'SW_PARTITION_UNKNOWN' }]);
  });

  it('[GenStage P12] takes an answer of a route that is no partition for none', async () => {
    for (const answer of [Number.NaN, -1, 0.5, 2, undefined, null, '0', {}]) {
      const route = (): 0 => answer as 0;
      const dispatcher = builder<number>().partition([0, 1], route, { onUnknown: 'drop' });
      const write = await new HandFeed(dispatcher).write(1);
      expect([answer, write.receipt, dispatcher.snapshot().dropped]).toEqual([answer, 'settled', 1]);
    }
  });

  it('[GenStage P13] wants partitions and a route', () => {
    const make = builder<number>();
    const invalid = (message: string): unknown =>
      expect.objectContaining({ code: 'SW_OPTION_INVALID', message: expect.stringContaining(message) });
    const route = (): never => 'a' as never;
    expect(() => make.partition([], route)).toThrow(invalid('partition names'));
    expect(() => make.partition(0, () => 1)).toThrow(invalid('partition count'));
    expect(() => make.partition(1.5, () => 1)).toThrow(invalid('partition count'));
    expect(() => make.partition(Number.NaN, () => 1)).toThrow(invalid('partition count'));
    expect(() => make.partition(['a', 'a'], route)).toThrow(invalid('partition names'));
    expect(() => make.partition([{} as never], route)).toThrow(invalid('partition names'));
    expect(() => make.partition(undefined as never, route)).toThrow(invalid('partition names'));
    expect(() => make.partition(['a'], undefined as never)).toThrow(invalid('partition route'));
  });

  it('[GenStage P14] says for each wrong partition of a subscription what is wrong with it', async () => {
    const counted = builder<number>().partition(2, (n) => n);
    const refusal = async (partition: unknown): Promise<unknown> =>
      rejection(counted.subscribeSink(new Recorder<number>(), partition as number));
    expect(await refusal(undefined)).toMatchObject({
      code: 'SW_PARTITION_MISSING',
      message: expect.stringContaining('The partitions are 0, 1'),
    });
    for (const unknown of [-1, 2, 'x', '0']) {
      expect(await refusal(unknown)).toMatchObject({
        code: 'SW_PARTITION_UNKNOWN',
        message: expect.stringContaining(String(unknown)),
      });
    }
    await counted.subscribeSink(new Recorder<number>(), 1);
    expect(await refusal(1)).toMatchObject({ code: 'SW_PARTITION_TAKEN' });
    expect(counted.sinks()).toHaveLength(1);
  });
});

describe('A stage of GenStage, as a dispatcher', () => {
  it('[GenStage S1] keeps what there is no demand for, countably, and drops only where a subscription says so', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sinks = ['wait', 'dropOldest', 'dropNewest'].map(
      (name) => new GatedSink<number>(name, { maxItems: 1 }),
    );
    for (const sink of sinks) {
      await dispatcher.subscribeSink(sink, undefined, {
        bufferSize: 3,
        overflow: sink.name as 'wait',
      });
    }
    const [wait, oldest, newest] = sinks as [GatedSink<number>, GatedSink<number>, GatedSink<number>];
    await feed.write(1, 2, 3);
    const more = await feed.write(4, 5);
    expect([more.state, dispatcher.snapshot().waiting]).toEqual(['waiting', 2]);
    await wait.releaseAll();
    expect(more.state).toBe('accepted');
    for (const sink of sinks) await sink.releaseAll();
    expect(wait.items).toEqual([1, 2, 3, 4, 5]);
    expect(oldest.items).toEqual([1, 4, 5]);
    expect(newest.items).toEqual([1, 2, 3]);
    expect(dispatcher.sinks().map(({ dropped }) => dropped)).toEqual([0, 2, 2]);
  });

  it('[GenStage S2] takes no write in while there is no demand', async () => {
    const dispatcher = builder<number>().demand();
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<number>();
    await dispatcher.subscribeSink(sink, undefined, { bufferSize: 1 });
    await feed.write(1);
    const write = await feed.write(2);
    expect([dispatcher.snapshot().demand, write.state]).toEqual([0, 'waiting']);
    await sink.release();
    expect(write.state).toBe('accepted');
  });

  it('[GenStage S3] stops with a sink that failed unless it may detach, and goes on when one unsubscribes', async () => {
    for (const [onError, state] of [
      ['fail', 'failed'],
      ['detach', 'open'],
    ] as const) {
      const dispatcher = builder<number>().broadcast();
      const feed = new HandFeed(dispatcher);
      const [bad, good] = [new GatedSink<number>('bad'), new Recorder<number>()];
      await dispatcher.subscribeSink(bad, undefined, { onError });
      await dispatcher.subscribeSink(good);
      await feed.write(1);
      await bad.fail(new Error('no'));
      expect(dispatcher.snapshot().state).toBe(state);
      expect(feed.failures).toHaveLength(onError === 'fail' ? 1 : 0);
    }
    const dispatcher = builder<number>().broadcast();
    await (await dispatcher.subscribeSink(new Recorder<number>())).unsubscribe();
    expect(dispatcher.snapshot().state).toBe('open');
  });

  it('[GenStage S4] closes its sinks behind everything that was offered before the end', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sink = new GatedSink<number>('slow', { maxItems: 1 });
    await dispatcher.subscribeSink(sink);
    await feed.write(1, 2, 3);
    const flush = feed.flush();
    await sink.releaseAll();
    await flush.promise;
    await feed.close();
    expect([sink.items, sink.calls]).toEqual([
      [1, 2, 3],
      ['open', 'flush', 'close'],
    ]);
  });

  it('[GenStage 311] moves what waited when a sink comes back, without another write', async () => {
    for (const kind of ['broadcast', 'demand'] as const) {
      const dispatcher = builder<number>()[kind]();
      const feed = new HandFeed(dispatcher);
      const first = new GatedSink<number>('first');
      const subscription = await dispatcher.subscribeSink(first, undefined, { bufferSize: 2 });
      const write = await feed.write(1, 2, 3, 4);
      const leaving = subscription.unsubscribe();
      await first.release();
      await leaving;
      expect(write.state).toBe('waiting');
      const second = new Recorder<number>();
      await dispatcher.subscribeSink(second);
      await tick();
      expect([first.items, second.items, write.state, write.receipt]).toEqual([
        [1, 2],
        [3, 4],
        'accepted',
        'settled',
      ]);
    }
  });

  it('[GenStage 318] has no more demand than there is room, however often sinks join', async () => {
    const dispatcher = builder<number>().broadcast();
    const feed = new HandFeed(dispatcher);
    const sinks: GatedSink<number>[] = [];
    let next = 0;
    for (let round = 0; round < 4; round++) {
      const sink = new GatedSink<number>(`sink ${round}`, { maxItems: 1 });
      sinks.push(sink);
      await dispatcher.subscribeSink(sink, undefined, { bufferSize: 3 });
      void feed.write(next++, next++, next++, next++);
      for (let i = 0; i < 4; i++) {
        for (const each of sinks) await each.release();
        for (const status of dispatcher.sinks()) {
          expect(status.buffered + status.inFlight + status.demand).toBe(3);
          expect(status.highWaterMark).toBeLessThanOrEqual(3);
        }
      }
    }
  });
});

describe('genstage.md', () => {
  it('and the tests have every case between them', () => {
    const here = import.meta.dirname;
    const tests = readFileSync(`${here}/genstage.test.ts`, 'utf8');
    const table = readFileSync(`${here}/genstage.md`, 'utf8');
    const tested = new Set([...tests.matchAll(/it\('\[GenStage (\w+)\]/g)].map(([, number]) => number));
    const excused = new Set([...table.matchAll(/^\| ([A-Z]?\d+) \|/gm)].map(([, number]) => number));
    const range = (letter: string, to: number): string[] =>
      Array.from({ length: to }, (_, index) => `${letter}${index + 1}`);
    const all = [...range('D', 9), ...range('B', 11), ...range('P', 14), ...range('S', 5), '311', '318'];
    expect(all.filter((number) => !tested.has(number) && !excused.has(number))).toEqual([]);
    expect(all.filter((number) => tested.has(number) && excused.has(number))).toEqual([]);
    expect([...tested, ...excused].filter((number) => !all.includes(number as string))).toEqual([]);
  });
});
