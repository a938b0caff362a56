import { describe, expect, it } from 'vitest';
import { BatchChannel } from '../../src/channel/batch-channel.ts';
import { Parcel } from '../../src/delivery/parcel.ts';
import type { StreamWeldError } from '../../src/errors.ts';
import { Turn } from '../../src/runtime.ts';
import type { Sink } from '../../src/sink.ts';
import { ChannelIntake } from '../../src/task/intake.ts';
import { SinkTask } from '../../src/task/sink-task.ts';
import { ControlledSink } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { withVirtualClock } from '@streamweld/testing';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** What became of the parcels of a test. */
class Ledger {
  readonly settled: number[] = [];
  readonly failed: number[] = [];

  parcel(...items: readonly number[]): Parcel<number> {
    const [id = 0] = items;
    const receipt = {
      pieces: 1,
      origins: [],
      retain: () => {},
      rejoin: () => {},
      settle: () => void this.settled.push(id),
      fail: () => void this.failed.push(id),
    };
    return new Parcel(items, receipt, null);
  }
}

/** A task between a channel that the test fills, and a sink. */
function task(
  sink: Sink<number>,
  options: { concurrency?: number; maxUncommitted?: number; loss?: boolean } = {},
) {
  const channel = new BatchChannel<Parcel<number>>(100);
  const failures: [StreamWeldError, number][] = [];
  let quiets = 0;
  const writer = new SinkTask<number>({
    name: 'the sink',
    sink,
    intake: new ChannelIntake(channel),
    concurrency: options.concurrency ?? 1,
    maxUncommitted: options.maxUncommitted ?? 1000,
    consentsToLoss: options.loss,
    signal: new AbortController().signal,
    turn: new Turn(),
    onFail: (error, items) => failures.push([error, items]),
    onQuiet: () => {
      quiets += 1;
    },
  });
  writer.maxItems = 10;
  channel.onItems = writer.pump;
  return { writer, channel, failures, ledger: new Ledger(), quiets: () => quiets };
}

describe('SinkTask.pump', () => {
  it('K2 has so many writes outstanding as it may, and frees their room when each is accepted', async () => {
    const sink = new ControlledSink<number>();
    const { writer, channel, ledger } = task(sink, { concurrency: 2 });
    for (const item of [1, 2, 3]) channel.push(ledger.parcel(item));
    expect([sink.writes.length, writer.inFlight, writer.inFlightItems, channel.held]).toEqual([2, 2, 2, 2]);
    sink.writes[1]?.accept();
    await time().settle();
    expect(sink.items).toEqual([1, 2, 3]);
    expect([writer.inFlight, channel.held, writer.written, writer.batches]).toEqual([2, 2, 1, 1]);
    expect(ledger.settled).toEqual([2]);
  });

  it('K4 settles at once what a synchronous write accepted', () => {
    const { writer, channel, ledger, quiets } = task({ write: () => {} });
    channel.push(ledger.parcel(1));
    expect([ledger.settled, writer.written, writer.inFlight, channel.held, quiets()]).toEqual([
      [1],
      1,
      0,
      0,
      1,
    ]);
  });

  it('joins what waits, up to the most of a write', async () => {
    const sink = new ControlledSink<number>();
    const { channel, ledger } = task(sink);
    channel.push(ledger.parcel(1));
    channel.push(ledger.parcel(2, 3, 4, 5));
    channel.push(ledger.parcel(6, 7, 8, 9, 10, 11, 12));
    sink.writes[0]?.accept();
    await time().settle();
    expect(sink.writes[1]?.batch).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it('is not confused by a sink that pushes while it writes', () => {
    const written: number[] = [];
    const set = task({
      write: (batch) => {
        written.push(...batch);
        if (written.length < 5) set.channel.push(set.ledger.parcel(written.length + 1));
      },
    });
    set.channel.push(set.ledger.parcel(1));
    expect(written).toEqual([1, 2, 3, 4, 5]);
    expect([set.quiets(), set.writer.batches]).toEqual([1, 5]);
  });

  it('gives up its turn when it is over', () =>
    withVirtualClock({ msPerLook: 5 }, async (clock) => {
      let writes = 0;
      const { writer, channel, ledger } = task({
        write: () => {
          writes += 1;
        },
      });
      writer.maxItems = 1;
      channel.push(ledger.parcel(1, 2, 3));
      expect(writes).toBe(1);
      await clock.settle();
      expect([writes, clock.turnsYielded >= 2]).toEqual([3, true]);
    }));
});

describe('SinkTask, failing', () => {
  it.each(['throws', 'rejects'] as const)(
    'fails the claim and tells how much is lost when a write %s',
    async (way) => {
      const cause = new Error('no');
      const { writer, channel, ledger, failures } = task({
        write: () => {
          if (way === 'throws') throw cause;
          return Promise.reject(cause);
        },
      });
      channel.push(ledger.parcel(1, 2, 3));
      await time().settle();
      expect(failures).toEqual([
        [expect.objectContaining({ code: 'SW_SINK_FAILED', stage: 'the sink', cause }), 3],
      ]);
      expect([ledger.failed, ledger.settled]).toEqual([[1], []]);
      expect([writer.inFlight, writer.written, channel.held]).toEqual([0, 0, 0]);
    },
  );

  it('settles what is lost where somebody agreed to the loss', () => {
    const { channel, ledger, failures } = task(
      {
        write: () => {
          throw new Error('no');
        },
      },
      { loss: true },
    );
    channel.push(ledger.parcel(1));
    expect([ledger.settled, ledger.failed, failures.length]).toEqual([[1], [], 1]);
  });

  it('goes on at the limit of the uncommitted, when what was accepted is lost', async () => {
    const rejects: ((cause: Error) => void)[] = [];
    const sink: Sink<number> = {
      write: () => ({ durable: new Promise<void>((_, reject) => rejects.push(reject)) }),
    };
    const { writer, channel, ledger, failures } = task(sink, { maxUncommitted: 1, loss: true });
    writer.maxItems = 1;
    channel.push(ledger.parcel(1));
    channel.push(ledger.parcel(2));
    await time().settle();
    expect([rejects.length, writer.uncommitted]).toEqual([1, 1]);
    rejects[0]?.(new Error('upload'));
    await time().settle();
    expect([rejects.length, writer.uncommitted, failures.length, ledger.settled]).toEqual([2, 1, 1, [1]]);
  });
});

describe('SinkTask.pause and halt', () => {
  it('hold writes back: the one until resume, the other for ever', async () => {
    const sink = new ControlledSink<number>();
    const { writer, channel, ledger } = task(sink);
    writer.pause();
    channel.push(ledger.parcel(1));
    expect(sink.writes).toHaveLength(0);
    writer.resume();
    expect(sink.writes).toHaveLength(1);
    writer.halt();
    channel.push(ledger.parcel(2));
    sink.writes[0]?.accept();
    await writer.idle();
    writer.resume();
    expect([sink.writes.length, ledger.settled]).toEqual([1, [1]]);
  });

  it('halt takes the timer of a lingering write back', () => {
    const { writer, channel, ledger } = task({ write: () => {}, batching: { lingerMs: 50 } });
    channel.push(ledger.parcel(1));
    expect(time().activeTimers).toBe(1);
    writer.halt();
    expect(time().activeTimers).toBe(0);
  });
});

describe('SinkTask.hurry', () => {
  it('writes what lingers at once, and then lingers again', async () => {
    const written: number[] = [];
    const { writer, channel, ledger } = task({
      write: (batch) => void written.push(...batch),
      batching: { lingerMs: 50 },
    });
    channel.push(ledger.parcel(1));
    writer.hurry();
    expect(written).toEqual([1]);
    channel.push(ledger.parcel(2));
    expect(written).toEqual([1]);
    await time().advance(50);
    expect(written).toEqual([1, 2]);
  });
});

describe('SinkTask.waitedMs', () => {
  it('counts the time with nothing to write', async () => {
    const sink = new ControlledSink<number>();
    const { writer, channel, ledger } = task(sink);
    await time().advance(20);
    channel.push(ledger.parcel(1));
    await time().advance(100);
    expect(writer.waitedMs).toBe(20);
    sink.writes[0]?.accept();
    await time().settle();
    await time().advance(5);
    expect(writer.waitedMs).toBe(25);
  });
});
