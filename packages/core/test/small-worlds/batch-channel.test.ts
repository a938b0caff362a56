import { describe, expect, it } from 'vitest';
import { BatchChannel } from '../../src/channel/batch-channel.ts';
import { type BatchWorld, exploreBatchChannel, replayBatchChannel } from './batch-channel-world.ts';
import { ScheduleError } from './schedules.ts';

const EVERYTHING = [
  'push',
  'push(2)',
  'push(3)',
  'take',
  'take(2)',
  'releaseOldest',
  'releaseNewest',
  'discard(2)',
  'clear',
  'close',
];
const MOVING = ['push', 'push(3)', 'take(2)', 'releaseOldest', 'releaseNewest'];

const KINDS_OF_WORLDS: readonly { name: string; worlds: readonly BatchWorld[]; schedules: number }[] = [
  {
    name: 'every operation there is, 5 of them, by capacity',
    worlds: [1, 2, 3, 4].map((capacity) => ({ capacity, operations: 5, offers: EVERYTHING })),
    schedules: 49_986,
  },
  {
    name: 'the same, each side acting from within its callback',
    worlds: [1, 3].map((capacity) => ({ capacity, operations: 5, offers: EVERYTHING, reacts: true })),
    schedules: 25_298,
  },
  {
    name: 'items that come, are held and released, 8 operations',
    worlds: [4, 12].map((capacity) => ({ capacity, operations: 8, offers: MOVING })),
    schedules: 22_913,
  },
];

describe('BatchChannel, in every schedule of a small world', () => {
  it.each(KINDS_OF_WORLDS)('is as its model: $name', { timeout: 180_000 }, async ({ worlds, schedules }) => {
    let executed = 0;
    for (const each of worlds) executed += await exploreBatchChannel(each);
    expect(executed).toBe(schedules);
  });
});

/** A channel that forgets that what is held needs room as well. */
class ForgetfulChannel extends BatchChannel<never> {
  override get room(): number {
    return this.capacity - this.queued;
  }
}

describe('A schedule of a BatchChannel', () => {
  const world: BatchWorld = { capacity: 2, operations: 4, offers: EVERYTHING };

  it('is tried once, and can be replayed from its text', async () => {
    for (const reacts of [false, true]) {
      const texts: string[] = [];
      const schedules = await exploreBatchChannel({
        ...world,
        reacts,
        onSchedule: (text) => texts.push(text),
      });
      expect(new Set(texts).size).toBe(schedules);
      expect(texts).toHaveLength(schedules);
      for (const text of texts) replayBatchChannel(text);
    }
  });

  it('that goes wrong is told as a text, and goes wrong again from it', async () => {
    const create = (capacity: number) => new ForgetfulChannel(capacity);
    const error: unknown = await exploreBatchChannel({ ...world, create }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ScheduleError);
    const { schedule, message } = error as ScheduleError;
    expect(schedule).toBe('cap2: push push take');
    expect(() => replayBatchChannel(schedule, create)).toThrow(message);
    replayBatchChannel(schedule);
  });

  it('that cannot be is refused', () => {
    for (const text of ['cap1: push(2)', 'cap1: fly', 'cap1: releaseOldest', 'push'])
      expect(() => replayBatchChannel(text)).toThrow(/cannot be done|Not an operation|Not a schedule/);
  });
});
