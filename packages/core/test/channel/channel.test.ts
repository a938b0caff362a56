import { describe, expect, it, vi } from 'vitest';
import { Channel, SendError } from '../../src/channel/channel.ts';
import { OptionError, StreamWeldError } from '../../src/errors.ts';
import { rejection } from '../controlled.ts';
import { listenersOf, useLeakCheck } from '../leak-check.ts';

const leaks = useLeakCheck();

/** Lets every promise that can settle do so. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** How a promise stands, without waiting for it. */
async function stateOf(promise: Promise<unknown>): Promise<'pending' | 'resolved' | 'rejected'> {
  let state: 'pending' | 'resolved' | 'rejected' = 'pending';
  promise.then(
    () => (state = 'resolved'),
    () => (state = 'rejected'),
  );
  await settle();
  return state;
}

async function drain<T>(channel: Channel<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of channel) items.push(item);
  return items;
}

describe('new Channel', () => {
  it.each([0, 1, 2 ** 31])('[fault 5] takes a capacity of %s', (capacity) => {
    expect(new Channel({ capacity }).capacity).toBe(capacity);
  });

  it.each([Number.NaN, -1, 1.5, '5', undefined, Number.POSITIVE_INFINITY])(
    '[fault 5] refuses a capacity of %s with a RangeError that names option, expected and got',
    (capacity) => {
      const make = (): unknown => new Channel({ capacity: capacity as number });
      expect(make).toThrow(RangeError);
      expect(make).toThrow(OptionError);
      expect(make).toThrow(/^Channel\.capacity must be a whole number of at least 0, got /);
    },
  );

  it('[fault 5] hands over from sender to receiver with a capacity of 0', async () => {
    const channel = new Channel<string>({ capacity: 0 });
    expect(channel.trySend('a')).toBe(false);
    const sent = channel.send('a');
    expect(await stateOf(sent)).toBe('pending');
    expect(channel.size).toBe(0);
    expect(await channel.receive()).toBe('a');
    await sent;
    const received = channel.receive();
    expect(channel.trySend('b')).toBe(true);
    expect(await received).toBe('b');
    expect(channel.size).toBe(0);
  });

  it('refuses what it does not know: an overflow, an option, no options at all', () => {
    expect(() => new Channel({ capacity: 1, overflow: 'explode' as 'wait' })).toThrow(
      "Channel.overflow must be 'wait' or 'dropOldest' or 'dropNewest' or 'fail', got \"explode\".",
    );
    expect(() => new Channel({ capacity: 1, onDrp: 1 } as { capacity: number })).toThrow(
      /Channel\.onDrp must be one of/,
    );
    expect(() => new Channel({ capacity: 1, onDrop: 7 as never })).toThrow(
      'Channel.onDrop must be a function, got 7.',
    );
    expect(() => new Channel(undefined as never)).toThrow(OptionError);
    expect(() => new Channel({ capacity: 0, overflow: 'dropOldest' })).toThrow(
      /Channel\.capacity must be at least 1/,
    );
  });
});

describe('Channel.send and receive', () => {
  it('moves items in the order they were sent, across all forms', async () => {
    const channel = new Channel<number>({ capacity: 10 });
    await channel.send(0);
    await channel.sendMany([1, 2, 3]);
    expect(channel.trySend(4)).toBe(true);
    expect(channel.trySendMany([5, 6])).toBe(2);
    expect(channel.size).toBe(7);
    expect(channel.tryReceive()).toBe(0);
    expect(await channel.receive()).toBe(1);
    expect(await channel.receiveMany(5)).toEqual([2, 3]);
    expect(channel.tryReceiveMany(1)).toEqual([4]);
    expect(await channel.receiveMany(9)).toEqual([5, 6]);
    expect(channel.tryReceiveMany(9)).toEqual([]);
    expect(channel.tryReceive()).toBeUndefined();
  });

  it('lets senders in first come, first served', async () => {
    const channel = new Channel<string>({ capacity: 1 });
    const order: string[] = [];
    const sends = ['a', 'b', 'c', 'd'].map((item) => channel.send(item).then(() => order.push(item)));
    expect(channel.waitingSenders).toBe(3);
    const received: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) received.push(await channel.receive());
    await Promise.all(sends);
    expect(received).toEqual(['a', 'b', 'c', 'd']);
    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });

  it('serves receivers first come, first served', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    const got: string[] = [];
    const receives = ['x', 'y', 'z'].map((name) =>
      channel.receive().then((item) => got.push(`${name}${item}`)),
    );
    expect(channel.waitingReceivers).toBe(3);
    await channel.sendMany([1, 2, 3]);
    await Promise.all(receives);
    expect(got).toEqual(['x1', 'y2', 'z3']);
  });

  it('lets a batch that is larger than the room in by pieces, and never holds more than its capacity', async () => {
    const channel = new Channel<number>({ capacity: 3 });
    const items = Array.from({ length: 10 }, (_, i) => i);
    const sent = channel.sendMany(items);
    expect(channel.size).toBe(3);
    const received: number[] = [];
    while (received.length < 10) {
      received.push(...((await channel.receiveMany(2)) ?? []));
      expect(channel.size).toBeLessThanOrEqual(3);
    }
    await sent;
    expect(received).toEqual(items);
  });

  it('does not let an item overtake a sender that waits', async () => {
    const channel = new Channel<number>({ capacity: 2 });
    const first = channel.sendMany([1, 2, 3]);
    expect(channel.trySend(4)).toBe(false);
    expect(channel.trySendMany([4])).toBe(0);
    const second = channel.send(4);
    channel.close();
    expect(await rejection(first)).toMatchObject({ code: 'SW_CHANNEL_CLOSED', undelivered: [3] });
    expect(await rejection(second)).toMatchObject({ undelivered: [4] });
    expect(await drain(channel)).toEqual([1, 2]);
  });

  it('hands an array on by reference and leaves it as it is', async () => {
    const channel = new Channel<number>({ capacity: 10 });
    const items = Object.freeze([1, 2, 3]);
    await channel.sendMany(items);
    await channel.send(4);
    expect(await channel.receiveMany(10)).toBe(items);
  });

  it('refuses a count that is none, and a signal that is none', async () => {
    const channel = new Channel<number>({ capacity: 4 });
    await channel.sendMany([1, 2]);
    for (const max of [0, -1, 1.5, Number.NaN, '2' as unknown as number]) {
      expect(() => channel.receiveMany(max)).toThrow(
        /Channel\.receiveMany max must be a whole number of at least 1, got/,
      );
      expect(() => channel.tryReceiveMany(max)).toThrow(/max must be a whole number of at least 1, got/);
    }
    expect(() => channel.send(1, { signal: 5 as never })).toThrow(/signal must be an AbortSignal, got 5/);
    expect(() => channel.receive({ signal: {} as never })).toThrow(
      /signal must be an AbortSignal, got an object/,
    );
    expect(() => channel.sendMany('ab' as never)).toThrow(
      'Channel.sendMany must be an array of items, got "ab".',
    );
    expect(await channel.receiveMany(5)).toEqual([1, 2]);
  });

  it('moves undefined as an item, which receiveMany tells from the end', async () => {
    const channel = new Channel<undefined>({ capacity: 2 });
    await channel.send(undefined);
    channel.close();
    expect(await channel.receiveMany(1)).toEqual([undefined]);
    expect(await channel.receiveMany(1)).toBeUndefined();
  });
});

describe('Channel.close', () => {
  it('[fault 1] lets receivers have what is left, then ends; a later send is rejected with what it did not send', async () => {
    const channel = new Channel<number>({ capacity: 5 });
    await channel.sendMany([1, 2, 3]);
    channel.close();
    channel.close();
    expect(channel.state).toBe('draining');
    const error = await rejection(channel.send(4));
    expect(error).toBeInstanceOf(SendError);
    expect(error).toBeInstanceOf(StreamWeldError);
    expect(error).toMatchObject({ code: 'SW_CHANNEL_CLOSED', undelivered: [4] });
    expect(await rejection(channel.sendMany([5, 6]))).toMatchObject({ undelivered: [5, 6] });
    expect(() => channel.trySend(7)).toThrow(SendError);
    expect(await drain(channel)).toEqual([1, 2, 3]);
    expect(channel.state).toBe('closed');
    expect(await channel.receive()).toBeUndefined();
  });

  it('ends receivers that wait', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    const receives = [channel.receive(), channel.receiveMany(3)];
    channel.close();
    expect(await Promise.all(receives)).toEqual([undefined, undefined]);
    expect(channel.state).toBe('closed');
  });
});

describe('Channel.abort', () => {
  it('[fault 2] rejects everybody who waits once, with the very reason', async () => {
    const reason = new Error('gone');
    const full = new Channel<number>({ capacity: 1 });
    await full.send(0);
    const senders = [full.send(1), full.sendMany([2, 3]), full.send(4)];
    full.abort(reason);
    for (const sender of senders) expect(await rejection(sender)).toBe(reason);

    const empty = new Channel<number>({ capacity: 1 });
    const receivers = [empty.receive(), empty.receiveMany(2), empty.receive()];
    empty.abort(reason);
    empty.abort(new Error('too late'));
    for (const receiver of receivers) expect(await rejection(receiver)).toBe(reason);
    for (const channel of [full, empty]) {
      expect(channel.state).toBe('aborted');
      expect(channel.size).toBe(0);
      expect([channel.waitingReceivers, channel.waitingSenders]).toEqual([0, 0]);
      expect(await rejection(channel.receive())).toBe(reason);
      expect(await rejection(channel.send(9))).toBe(reason);
      expect(() => channel.tryReceive()).toThrow(reason);
    }
  });

  it('[fault 2] leaves no rejection unhandled where the waiters have been forgotten by their callers', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    await channel.send(0);
    const sender = channel.send(1);
    channel.abort(new Error('gone'));
    // The caller's own promise is the caller's to handle: only that one, and only once.
    expect(await rejection(sender)).toMatchObject({ message: 'gone' });
    await settle();
    expect(leaks.unhandled).toEqual([]);
  });

  it('gives a reason of its own where none was given', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    const waiting = channel.receive();
    channel.abort();
    expect(await rejection(waiting)).toMatchObject({ code: 'SW_CHANNEL_ABORTED' });
  });

  it('discards what is left after a close, and does nothing to a channel that has ended', async () => {
    const draining = new Channel<number>({ capacity: 2 });
    await draining.send(1);
    draining.close();
    draining.abort(new Error('enough'));
    expect(await rejection(draining.receive())).toMatchObject({ message: 'enough' });
    const closed = new Channel<number>({ capacity: 2 });
    closed.close();
    closed.abort(new Error('enough'));
    expect(await closed.receive()).toBeUndefined();
  });

  it('is what disposing does', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    const waiting = channel.receive();
    await channel[Symbol.asyncDispose]();
    expect(await rejection(waiting)).toMatchObject({ code: 'SW_CHANNEL_ABORTED' });
  });
});

describe('Channel cancellation', () => {
  it('[fault 3] leaves an item to the next receiver when the first one was cancelled', async () => {
    const controller = leaks.controller();
    const channel = new Channel<string>({ capacity: 1 });
    const cancelled = channel.receive({ signal: controller.signal });
    const next = channel.receive();
    controller.abort(new Error('no more'));
    await channel.send('item');
    expect(await rejection(cancelled)).toMatchObject({ message: 'no more' });
    expect(await next).toBe('item');
  });

  it('[fault 3] leaves an item in the channel when its only receiver was cancelled before the hand-over', async () => {
    const controller = leaks.controller();
    const channel = new Channel<string>({ capacity: 1 });
    const cancelled = channel.receive({ signal: controller.signal });
    controller.abort();
    expect(channel.trySend('item')).toBe(true);
    await rejection(cancelled);
    expect(channel.size).toBe(1);
    expect(channel.tryReceive()).toBe('item');
  });

  it('[fault 3] delivers an item that was handed over in the turn of the cancel, and only once', async () => {
    const controller = leaks.controller();
    const channel = new Channel<string>({ capacity: 1 });
    const received = channel.receive({ signal: controller.signal });
    channel.trySend('item');
    controller.abort();
    expect(await received).toBe('item');
    expect(channel.size).toBe(0);
  });

  it('[fault 4] does not deliver the item of a cancelled sender, and leaks no capacity', async () => {
    const controller = leaks.controller();
    const channel = new Channel<string>({ capacity: 1 });
    await channel.send('a');
    const cancelled = channel.send('b', { signal: controller.signal });
    const kept = channel.send('c');
    const reason = new Error('no more');
    controller.abort(reason);
    expect(await rejection(cancelled)).toBe(reason);
    expect(await channel.receive()).toBe('a');
    await kept;
    expect(channel.size).toBe(1);
    expect(await channel.receive()).toBe('c');
    expect(channel.trySend('d')).toBe(true);
    expect(channel.size).toBe(1);
  });

  it('[fault 4] keeps what a cancelled sendMany had already sent, and no more', async () => {
    const controller = leaks.controller();
    const channel = new Channel<number>({ capacity: 2 });
    const cancelled = channel.sendMany([1, 2, 3, 4], { signal: controller.signal });
    expect(await channel.receive()).toBe(1);
    controller.abort();
    await rejection(cancelled);
    channel.close();
    expect(await drain(channel)).toEqual([2, 3]);
  });

  it('does nothing at all with a signal that is aborted already', async () => {
    const channel = new Channel<number>({ capacity: 2 });
    const signal = AbortSignal.abort(new Error('over'));
    await channel.send(1);
    expect(await rejection(channel.send(2, { signal }))).toMatchObject({ message: 'over' });
    expect(await rejection(channel.sendMany([2], { signal }))).toMatchObject({ message: 'over' });
    expect(await rejection(channel.receive({ signal }))).toMatchObject({ message: 'over' });
    expect(channel.size).toBe(1);
  });

  it('leaves the queue whole when waiters go from its front, middle and end', async () => {
    const controllers = [0, 1, 2, 3, 4].map(() => leaks.controller());
    const channel = new Channel<number>({ capacity: 1 });
    const receives = controllers.map(({ signal }) => channel.receive({ signal }));
    for (const index of [2, 0, 4]) {
      controllers[index]?.abort();
      await rejection(receives[index] as Promise<unknown>);
    }
    expect(channel.waitingReceivers).toBe(2);
    await channel.sendMany([1, 3]);
    expect([await receives[1], await receives[3]]).toEqual([1, 3]);
  });

  it('[fault 96] has one listener on a signal for any number of waiters, and none when they are served', async () => {
    const controller = leaks.controller();
    const channel = new Channel<number>({ capacity: 1 });
    const receives = Array.from({ length: 100 }, () => channel.receive({ signal: controller.signal }));
    expect(listenersOf(controller.signal)).toBe(1);
    await channel.sendMany(Array.from({ length: 100 }, (_, i) => i));
    await Promise.all(receives);
    expect(listenersOf(controller.signal)).toBe(0);
  });

  it('[fault 96] leaves nothing on a long-lived signal after 10,000 receives', async () => {
    const controller = leaks.controller();
    const channel = new Channel<number>({ capacity: 1 });
    for (let i = 0; i < 10_000; i++) {
      const received = channel.receive({ signal: controller.signal });
      channel.trySend(i);
      expect(await received).toBe(i);
    }
    expect(listenersOf(controller.signal)).toBe(0);
  });

  it('[fault 96] leaves nothing on a signal when the channel is closed or aborted under the waiters', async () => {
    const controller = leaks.controller();
    const closed = new Channel<number>({ capacity: 1 });
    const receive = closed.receive({ signal: controller.signal });
    closed.close();
    await receive;
    const aborted = new Channel<number>({ capacity: 1 });
    await aborted.send(1);
    const send = aborted.send(2, { signal: controller.signal });
    aborted.abort();
    await rejection(send);
    expect(listenersOf(controller.signal)).toBe(0);
  });
});

describe('Channel under load', () => {
  it('[fault 6] parks a million senders and serves them in order', { timeout: 30_000 }, async () => {
    const channel = new Channel<number>({ capacity: 1 });
    // Those who wait are held, and a million of them are more than the heap of `pnpm test:small-heap`.
    const count = process.env['STREAMWELD_HEAP_MB'] === undefined ? 1_000_000 : 100_000;
    let last = Promise.resolve();
    for (let i = 0; i < count; i++) last = channel.send(i);
    expect(channel.waitingSenders).toBe(count - 1);
    for (let i = 0; i < count; i++) {
      if (channel.tryReceive() !== i) throw new Error(`out of order at ${i}`);
    }
    await last;
    expect(channel.waitingSenders).toBe(0);
  });

  it('[fault 6] cancels many waiters in any order, each in constant time', { timeout: 30_000 }, async () => {
    const channel = new Channel<number>({ capacity: 1 });
    const controllers = Array.from({ length: 20_000 }, () => new AbortController());
    const reason = new Error('no more');
    let cancelled = 0;
    for (const { signal } of controllers) channel.receive({ signal }).catch(() => (cancelled += 1));
    for (const [index, controller] of controllers.entries()) if (index % 2 === 0) controller.abort(reason);
    for (const controller of controllers.reverse()) controller.abort(reason);
    await settle();
    expect(cancelled).toBe(20_000);
    expect(channel.waitingReceivers).toBe(0);
  });

  it('[fault 7] sends from within a receive without growing the stack', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    let deepest = 0;
    let depth = 0;
    let received = 0;
    const count = 50_000;
    await new Promise<void>((resolve) => {
      const next = (item: number | undefined): void => {
        depth += 1;
        deepest = Math.max(deepest, depth);
        received += 1;
        if (item === count - 1) resolve();
        else {
          void channel.receive().then(next);
          void channel.send((item ?? 0) + 1);
        }
        depth -= 1;
      };
      void channel.receive().then(next);
      void channel.send(0);
    });
    expect(received).toBe(count);
    expect(deepest).toBe(1);
  });
});

describe('Channel.overflow', () => {
  it("'fail' rejects with what did not fit", async () => {
    const channel = new Channel<number>({ capacity: 2, overflow: 'fail' });
    await channel.send(1);
    const error = await rejection(channel.sendMany([2, 3, 4]));
    expect(error).toBeInstanceOf(SendError);
    expect(error).toMatchObject({ code: 'SW_CHANNEL_FULL', undelivered: [3, 4] });
    expect(await rejection(channel.send(5))).toMatchObject({ undelivered: [5] });
    channel.close();
    expect(await drain(channel)).toEqual([1, 2]);
  });

  it("'dropNewest' drops what does not fit, counts it and hands it to onDrop", async () => {
    const onDrop = vi.fn();
    const channel = new Channel<number>({ capacity: 2, overflow: 'dropNewest', onDrop });
    await channel.sendMany([1, 2, 3, 4]);
    await channel.send(5);
    expect(channel.dropped).toBe(3);
    expect(onDrop.mock.calls).toEqual([[[3, 4]], [[5]]]);
    channel.close();
    expect(await drain(channel)).toEqual([1, 2]);
  });

  it("'dropOldest' keeps the newest, counts the others and hands them to onDrop", async () => {
    const dropped: number[] = [];
    const channel = new Channel<number>({
      capacity: 3,
      overflow: 'dropOldest',
      onDrop: (items) => dropped.push(...items),
    });
    await channel.sendMany([1, 2]);
    await channel.sendMany([3, 4, 5]);
    await channel.send(6);
    expect(channel.size).toBe(3);
    expect(dropped).toEqual([1, 2, 3]);
    await channel.sendMany([7, 8, 9, 10, 11]);
    expect(channel.dropped).toBe(8);
    expect([...dropped].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    channel.close();
    expect(await drain(channel)).toEqual([9, 10, 11]);
  });

  it('drops nothing while a receiver waits', async () => {
    const channel = new Channel<number>({ capacity: 1, overflow: 'dropOldest' });
    const received = channel.receiveMany(5);
    await channel.sendMany([1, 2]);
    expect(await received).toEqual([1, 2]);
    expect(channel.dropped).toBe(0);
  });

  it('is in order when onDrop looks at the channel and sends to it', async () => {
    const dropped: number[] = [];
    const channel: Channel<number> = new Channel<number>({
      capacity: 2,
      overflow: 'dropOldest',
      onDrop: (items) => {
        dropped.push(...items);
        if (items.includes(1)) void channel.send(99);
      },
    });
    await channel.sendMany([1, 2]);
    await channel.send(3);
    channel.close();
    const left = await drain(channel);
    expect([...left, ...dropped].sort((a, b) => a - b)).toEqual([1, 2, 3, 99]);
    expect(left).toEqual([3, 99]);
  });

  it('rejects with what onDrop throws, and has the item counted', async () => {
    const channel = new Channel<number>({
      capacity: 1,
      overflow: 'dropNewest',
      onDrop: () => {
        throw new Error('in onDrop');
      },
    });
    await channel.send(1);
    expect(await rejection(channel.send(2))).toMatchObject({ message: 'in onDrop' });
    expect(await rejection(channel.sendMany([3]))).toMatchObject({ message: 'in onDrop' });
    expect(channel.dropped).toBe(2);
  });
});

describe('Channel as an AsyncIterable', () => {
  it('stays open when a loop is left early', async () => {
    const channel = new Channel<number>({ capacity: 5 });
    await channel.sendMany([1, 2, 3]);
    for await (const item of channel) if (item === 1) break;
    expect(channel.state).toBe('open');
    expect(channel.tryReceiveMany(5)).toEqual([2, 3]);
  });

  it('shares items among several loops, none lost and none twice', async () => {
    const channel = new Channel<number>({ capacity: 4 });
    const loops = [drain(channel), drain(channel), drain(channel)];
    await channel.sendMany(Array.from({ length: 100 }, (_, i) => i));
    channel.close();
    const all = (await Promise.all(loops)).flat().sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('throws the reason of an abort', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    const loop = drain(channel);
    channel.abort(new Error('gone'));
    expect(await rejection(loop)).toMatchObject({ message: 'gone' });
  });
});

describe('Channel, batches and single items', () => {
  it('answers single items that queued up together, and counts each', () => {
    const channel = new Channel<number>({ capacity: 10 });
    for (const item of [1, 2, 3]) expect(channel.trySend(item)).toBe(true);
    expect(channel.size).toBe(3);
    expect(channel.tryReceiveMany(10)).toEqual([1, 2, 3]);
    expect(channel.size).toBe(0);
  });

  it('gathers no more than 256 single items in one array', () => {
    const channel = new Channel<number>({ capacity: 1000 });
    for (let i = 0; i < 300; i++) channel.trySend(i);
    expect(channel.tryReceiveMany(1000)).toHaveLength(256);
    expect(channel.tryReceiveMany(1000)).toHaveLength(44);
  });

  it('goes on after single items were received one by one', () => {
    const channel = new Channel<number>({ capacity: 10 });
    channel.trySend(1);
    channel.trySend(2);
    expect([channel.tryReceive(), channel.tryReceive()]).toEqual([1, 2]);
    channel.trySend(3);
    expect(channel.tryReceive()).toBe(3);
  });

  it('hands the very array that was sent to a receiver that takes all of it', async () => {
    const channel = new Channel<number>({ capacity: 0 });
    const received = channel.receiveMany(10);
    const items = [1, 2, 3];
    await channel.sendMany(items);
    expect(await received).toBe(items);
  });

  it('leaves the receivers waiting for whom there was nothing', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    const [first, second] = [channel.receiveMany(5), channel.receiveMany(5)];
    await channel.sendMany([1]);
    expect(await first).toEqual([1]);
    expect(channel.waitingReceivers).toBe(1);
    await channel.sendMany([2]);
    expect(await second).toEqual([2]);
  });

  it('lets as many senders go on as the room that was made allows', async () => {
    const channel = new Channel<number>({ capacity: 3 });
    channel.trySendMany([1, 2, 3]);
    const sent = [channel.send(4), channel.send(5)];
    expect(channel.tryReceiveMany(2)).toEqual([1, 2]);
    expect(channel.waitingSenders).toBe(0);
    await Promise.all(sent);
  });

  it('drops no more of the oldest than it has to, and tells of nothing else', async () => {
    const dropped: (readonly number[])[] = [];
    const onDrop = (items: readonly number[]): void => void dropped.push(items);
    const channel = new Channel<number>({ capacity: 4, overflow: 'dropOldest', onDrop });
    await channel.sendMany([1, 2]);
    await channel.sendMany([3, 4, 5]);
    expect(dropped).toEqual([[1]]);
    await channel.send(6);
    expect(dropped).toEqual([[1], [2]]);
    channel.close();
    expect(await drain(channel)).toEqual([3, 4, 5, 6]);
  });

  it('counts what it drops where nobody wants to be told', async () => {
    const channel = new Channel<number>({ capacity: 1, overflow: 'dropNewest' });
    await channel.sendMany([1, 2, 3]);
    expect(channel.dropped).toBe(2);
    expect(channel.tryReceive()).toBe(1);
  });

  it('stays aborted when it is closed afterwards', () => {
    const channel = new Channel<number>({ capacity: 1 });
    channel.abort(new Error('no more'));
    channel.close();
    expect(channel.state).toBe('aborted');
    expect(() => channel.tryReceive()).toThrow('no more');
  });

  it('names its error', async () => {
    const channel = new Channel<number>({ capacity: 1 });
    channel.close();
    expect(await rejection(channel.send(1))).toMatchObject({ name: 'SendError' });
  });
});
