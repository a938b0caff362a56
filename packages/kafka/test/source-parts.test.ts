/** The parts of a KafkaSource that need no broker. */

import { ConcurrentPipeline, from } from '@streamweld/core';
import { describe, expect, it } from 'vitest';
import { type FetchedPartition, hideAborted } from '../src/aborted.ts';
import { Assignment } from '../src/assignment.ts';
import type { FetchedRecords } from '../src/client.ts';
import { PartitionQueue } from '../src/partition-queue.ts';
import { KafkaSource } from '../src/source.ts';
import type { KafkaSourceOptions } from '../src/source-options.ts';

const PLACE = { topic: 't', partition: 0 };

/** Records of these offsets; what was fetched reaches to `next`. */
function fetched(
  offsets: readonly number[],
  next: number,
  first: number = offsets[0] ?? next,
): FetchedRecords {
  const records = offsets.map((offset) => ({
    ...PLACE,
    offset: String(offset),
    key: null,
    value: new Uint8Array(10),
    headers: {},
    timestamp: 0,
  }));
  return { ...PLACE, records, first: String(first), next: String(next), highWatermark: '100' };
}

describe('PartitionQueue', () => {
  const queue = (): PartitionQueue => new PartitionQueue(PLACE, 0n, 100n, false);
  const taken = (own: PartitionQueue, demand: number) => {
    const { records, offset } = own.take(demand) ?? {};
    return { offsets: records?.map((record) => Number(record.offset)), offset };
  };

  it('hands on what one fetch brought, by pieces, with the place behind each', () => {
    const own = queue();
    own.put(fetched([0, 1, 2], 3));
    expect(taken(own, 2)).toEqual({ offsets: [0, 1], offset: '2' });
    expect(taken(own, 2)).toEqual({ offsets: [2], offset: '3' });
    expect(own.take(2)).toBeUndefined();
    expect(own).toMatchObject({ items: 0, bytes: 0, next: 3n, handedOut: 3n });
  });

  it('puts the place behind what is nobody’s to see', () => {
    const own = queue();
    own.put(fetched([0, 1], 5));
    expect(taken(own, 10)).toEqual({ offsets: [0, 1], offset: '5' });
    own.put(fetched([], 8, 5));
    expect(taken(own, 10)).toEqual({ offsets: [], offset: '8' });
    own.put(fetched([8], 9));
    own.put(fetched([], 12, 9));
    expect(taken(own, 10)).toEqual({ offsets: [8], offset: '12' });
  });

  it('leaves out what it has already', () => {
    const own = queue();
    own.put(fetched([0, 1, 2], 3));
    own.put(fetched([0, 1, 2], 3));
    own.put(fetched([1, 2, 3], 4));
    expect(taken(own, 10).offsets).toEqual([0, 1, 2]);
    expect(taken(own, 10).offsets).toEqual([3]);
  });

  it('does not go past what lies between, for what comes out of turn and has nothing to be seen', () => {
    const own = queue();
    own.put(fetched([], 50, 40));
    expect(own.next).toBe(0n);
  });

  it('tells where it begins before anything else, where that is to be committed', () => {
    const own = new PartitionQueue(PLACE, 7n, 100n, true);
    own.put(fetched([7], 8));
    expect(taken(own, 1)).toEqual({ offsets: [], offset: '7' });
    expect(taken(own, 1)).toEqual({ offsets: [7], offset: '8' });
  });

  it('hands on the array of a fetch as it is, and counts what is left', () => {
    const own = queue();
    const first = fetched([0, 1, 2, 3], 4);
    own.put(first);
    own.put(fetched([4, 5], 6));
    const { bytes } = own;
    expect(own.items).toBe(6);
    expect(own.take(4)?.records).toBe(first.records);
    expect(own.items).toBe(2);
    expect(own.bytes).toBe(bytes / 3);
  });
});

describe('Assignment', () => {
  it('K11 lets in what there is room for, pauses what nobody takes, and resumes it when half is taken', async () => {
    const calls: string[] = [];
    const assignment = new Assignment({ maxItems: 20, maxBytes: 1 << 20 }, () => ({
      pause: ({ partition }) => calls.push(`pause ${partition}`),
      resume: ({ partition }) => calls.push(`resume ${partition}`),
    }));
    for (const partition of [0, 1])
      assignment.add(new PartitionQueue({ topic: 't', partition }, 0n, 100n, false));
    const ten = Array.from({ length: 10 }, (_, n) => n);
    expect(assignment.put(fetched(ten.slice(0, 9), 9))).toBeUndefined();
    // Each has half of the room. What is full has to wait, and is paused when it waits in vain.
    const waiting = assignment.put(fetched([9], 10));
    expect(waiting).toBeInstanceOf(Promise);
    await waiting;
    expect(calls).toEqual(['pause 0']);
    assignment.take(5);
    expect(calls).toEqual(['pause 0']);
    assignment.take(1);
    expect(calls).toEqual(['pause 0', 'resume 0']);
    // Who takes soon enough is never paused.
    const soon = assignment.put(
      fetched(
        ten.map((n) => n + 10),
        20,
      ),
    );
    while (assignment.take(10) !== undefined);
    await soon;
    expect(calls).toEqual(['pause 0', 'resume 0']);
  });

  it('K11 pauses all that has not yet come, when what came of many partitions is enough together', async () => {
    const calls: string[] = [];
    const assignment = new Assignment({ maxItems: 100, maxBytes: 1 << 30 }, () => ({
      pause: ({ partition }) => calls.push(`pause ${partition}`),
      resume: ({ partition }) => calls.push(`resume ${partition}`),
    }));
    for (const partition of [0, 1, 2, 3])
      assignment.add(new PartitionQueue({ topic: 't', partition }, 0n, 1000n, false));
    const sixty = fetched(
      Array.from({ length: 60 }, (_, n) => n),
      60,
    );
    // Each is more than its share, and one fetch is let in.
    const first = assignment.put(sixty);
    expect(calls).toEqual([]);
    const second = assignment.put({ ...sixty, partition: 1 });
    expect(calls).toEqual(['pause 0', 'pause 2', 'pause 3']);
    await Promise.all([first, second]);
    expect(calls).toEqual(['pause 0', 'pause 2', 'pause 3', 'pause 1']);
    while (assignment.queues.reduce((sum, { items }) => sum + items, 0) > 50) {
      expect(calls).toHaveLength(4);
      assignment.take(1);
    }
    while (calls.length < 8 && assignment.take(10) !== undefined);
    expect(calls.slice(4).toSorted()).toEqual(['resume 0', 'resume 1', 'resume 2', 'resume 3']);
  });

  it('takes from one partition after the other', () => {
    const assignment = new Assignment({ maxItems: 100, maxBytes: 1 << 20 }, () => undefined);
    for (const partition of [0, 1]) {
      assignment.add(new PartitionQueue({ topic: 't', partition }, 0n, 100n, false));
      void assignment.put({ ...fetched([0, 1, 2], 3), partition });
    }
    const lanes = [1, 1, 1, 5, 5, 5].map((demand) => assignment.take(demand)?.queue.lane);
    expect(lanes).toEqual(['t/0', 't/1', 't/0', 't/1', 't/0', undefined]);
  });
});

describe('hideAborted', () => {
  const message = (offset: number, producerId: string, kind: 'record' | 'abort' | 'commit' = 'record') => ({
    offset: String(offset),
    key: kind === 'record' ? null : Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1]),
    isControlRecord: kind !== 'record',
    batchContext: { producerId, inTransaction: producerId !== '-1' },
  });
  const seen = (partition: FetchedPartition): number[] => {
    hideAborted(partition);
    return partition.messages
      .filter((each) => each.isControlRecord !== true)
      .map(({ offset }) => Number(offset));
  };

  it('hides the records of a transaction from its first to its end, and no others', () => {
    const partition = {
      abortedTransactions: [{ producerId: '1', firstOffset: '1' }],
      messages: [
        message(0, '1'),
        message(1, '1'),
        message(2, '2'),
        message(3, '-1'),
        message(4, '1', 'abort'),
        message(5, '1'),
        message(6, '2', 'commit'),
      ],
    };
    expect(seen(partition)).toEqual([0, 2, 3, 5]);
    expect(partition.abortedTransactions).toEqual([]);
  });

  it('hides those of several that were open where the fetch begins', () => {
    const partition = {
      abortedTransactions: [
        { producerId: '2', firstOffset: '1' },
        { producerId: '1', firstOffset: '0' },
      ],
      messages: [
        message(2, '2'),
        message(3, '1'),
        message(4, '2', 'abort'),
        message(5, '2'),
        message(6, '1'),
      ],
    };
    expect(seen(partition)).toEqual([5]);
  });

  it('changes nothing where nothing was aborted', () => {
    for (const abortedTransactions of [[], null, undefined])
      expect(seen({ abortedTransactions, messages: [message(0, '1')] })).toEqual([0]);
  });
});

describe('KafkaSource options', () => {
  const make = (options: Partial<KafkaSourceOptions> & Record<string, unknown>) => () =>
    new KafkaSource({ brokers: 'localhost:9092', topics: 'orders', groupId: 'billing', ...options });

  it('are checked when they are given', () => {
    for (const [option, value] of [
      ['topics', []],
      ['topics', ['']],
      ['groupId', ''],
      ['from', 'beginning'],
      ['from', new Date('never')],
      ['from', { orders: 5 }],
      ['from', { 'orders/0': -1 }],
      ['onOutOfRange', 'skip'],
      ['readUncommitted', 1],
      ['commitBy', 'me'],
      ['buffer', { maxItems: 0 }],
      ['buffer', { items: 5 }],
      ['sessionTimeoutMs', 0],
      ['drainMs', 20_000],
      ['reconnectMs', -1],
      ['fromBeginning', true],
    ] as const) {
      expect(make({ [option]: value }), option).toThrow(
        expect.objectContaining({ code: 'SW_OPTION_INVALID', message: expect.stringContaining(option) }),
      );
    }
  });

  it('name it after its topics', () => {
    expect(make({ topics: ['orders', /^bills/] })().name).toBe('kafka orders, ^bills');
    expect(make({ name: 'mine' })().name).toBe('mine');
  });
});

describe('KafkaSource without a broker', () => {
  it('64 fails soon, and says that nothing listens there', async () => {
    const source = new KafkaSource({
      brokers: '127.0.0.1:1',
      topics: 'orders',
      groupId: 'billing',
      connectTimeoutMs: 500,
    });
    const begun = performance.now();
    await expect(new ConcurrentPipeline(from(source), () => {}).run()).rejects.toMatchObject({
      code: 'SW_KAFKA_UNREACHABLE',
      stage: 'kafka orders',
    });
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});
