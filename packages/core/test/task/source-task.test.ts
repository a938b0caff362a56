import { describe, expect, it } from 'vitest';
import { BatchChannel } from '../../src/channel/batch-channel.ts';
import { Deferred } from '../../src/deferred.ts';
import { Parcel } from '../../src/delivery/parcel.ts';
import { Turn } from '../../src/runtime.ts';
import type { Awaitable } from '../../src/source.ts';
import { SourceTask } from '../../src/task/source-task.ts';
import { withVirtualClock } from '@streamweld/testing';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();

const parcel = (count: number): Parcel<number> => new Parcel(Array<number>(count).fill(0), null, null);

/** A task between a stage that the test answers for, and a channel that nobody empties. */
function task(capacity: number, pull: (demand: number) => Awaitable<Parcel<number> | undefined>) {
  const demands: number[] = [];
  const failures: unknown[] = [];
  const channel = new BatchChannel<Parcel<number>>(capacity);
  const source = new SourceTask<number>({
    stage: {
      pull: (demand) => {
        demands.push(demand);
        return pull(demand);
      },
    },
    channel,
    turn: new Turn(),
    onFail: (error) => failures.push(error),
  });
  channel.onRoom = source.pump;
  return { source, channel, demands, failures };
}

/** Takes so many items out of a channel for good. */
function consume(channel: BatchChannel<Parcel<number>>, count: number): void {
  let left = count;
  while (left > 0) {
    const taken = channel.take(left);
    if (taken === undefined) throw new Error('There are not so many.');
    left -= taken.items.length;
  }
  channel.release(count);
}

describe('SourceTask.pump', () => {
  it('asks for half the capacity at most, until less than a quarter is free', () => {
    const { source, channel, demands } = task(100, (demand) => parcel(demand));
    source.pump();
    expect(demands).toEqual([50, 50]);
    consume(channel, 24);
    expect(demands).toHaveLength(2);
    consume(channel, 1);
    expect(demands).toEqual([50, 50, 25]);
    expect(channel.room).toBe(0);
  });

  it.each([1, 2, 3])('asks for one item at a time with a capacity of %s', (capacity) => {
    const { source, demands } = task(capacity, (demand) => parcel(demand));
    source.pump();
    expect(demands).toEqual(Array(capacity).fill(1));
  });

  it('asks again for what a short answer left free', () => {
    const { source, demands } = task(8, () => parcel(1));
    source.pump();
    expect(demands).toEqual([4, 4, 4, 4, 4, 3, 2]);
  });

  it('S2 has one pull outstanding at most, whatever comes', async () => {
    const answer = new Deferred<Parcel<number> | undefined>();
    const { source, channel, demands } = task(10, () => answer.promise);
    source.pump();
    source.pump();
    channel.onRoom();
    expect([demands, source.isPulling]).toEqual([[5], true]);
    answer.resolve(undefined);
    await time().settle();
    expect([source.isPulling, channel.isClosed]).toEqual([false, true]);
  });

  it('S5 closes the channel at the end and never pulls again', () => {
    const answers = [parcel(3), undefined];
    const { source, channel, demands } = task(10, () => answers.shift());
    source.pump();
    consume(channel, 3);
    source.pump();
    expect([demands, channel.isClosed]).toEqual([[5, 5], true]);
  });

  it('settles a parcel of which nothing is left, and goes on', () => {
    let settled = 0;
    const receipt = {
      pieces: 1,
      origins: [],
      retain: () => {},
      rejoin: () => {},
      settle: () => void settled++,
      fail: () => {},
    };
    const answers = [new Parcel<number>([], receipt, null), parcel(2), undefined];
    const { source, channel } = task(10, () => answers.shift());
    source.pump();
    expect([settled, channel.queued, channel.isClosed]).toEqual([1, 2, true]);
  });

  it('halts and tells of a failure, thrown or rejected', async () => {
    for (const isLate of [false, true]) {
      const error = new Error('no');
      const { source, demands, failures, channel } = task(10, () => {
        if (isLate) return Promise.reject(error);
        throw error;
      });
      source.pump();
      await time().settle();
      source.pump();
      expect([failures, demands, channel.isClosed]).toEqual([[error], [5], false]);
    }
  });

  it('gives up its turn when it is over, and takes it up again', () =>
    // Each look at the clock costs more than a turn may last.
    withVirtualClock({ msPerLook: 5 }, async (clock) => {
      const answers = [parcel(1), parcel(1), parcel(1), undefined];
      const { source, channel, demands } = task(10, () => answers.shift());
      source.pump();
      expect(demands).toHaveLength(1);
      source.pump();
      expect(demands).toHaveLength(1);
      await clock.settle();
      expect([demands.length, channel.isClosed, channel.queued]).toEqual([4, true, 3]);
      expect(clock.turnsYielded).toBeGreaterThanOrEqual(3);
    }));
});

describe('SourceTask.pause', () => {
  it('lets the outstanding pull be answered, and pulls no more until resume', async () => {
    const answers = [new Deferred<Parcel<number> | undefined>(), new Deferred<Parcel<number> | undefined>()];
    const [first] = answers;
    const { source, channel, demands } = task(10, () => answers.shift()?.promise);
    source.pump();
    source.pause();
    first?.resolve(parcel(2));
    await time().settle();
    expect([channel.queued, demands.length]).toEqual([2, 1]);
    source.resume();
    source.resume();
    expect(demands).toEqual([5, 5]);
  });
});

describe('SourceTask.halt', () => {
  it('discards what the outstanding pull answers, also a failure', async () => {
    for (const end of ['resolve', 'reject'] as const) {
      const answer = new Deferred<Parcel<number> | undefined>();
      const { source, channel, demands, failures } = task(10, () => answer.promise);
      source.pump();
      source.halt();
      source.resume();
      if (end === 'resolve') answer.resolve(parcel(2));
      else answer.reject(new Error('late'));
      await time().settle();
      expect([channel.queued, demands, failures, source.isPulling]).toEqual([0, [5], [], false]);
    }
  });
});

describe('SourceTask.waitedMs', () => {
  it('counts the time without room, also while it still waits', async () => {
    const { source, channel } = task(10, (demand) => parcel(demand));
    source.pump();
    await time().advance(30);
    expect(source.waitedMs).toBe(30);
    consume(channel, 10);
    await time().advance(12);
    expect(source.waitedMs).toBe(42);
  });
});
