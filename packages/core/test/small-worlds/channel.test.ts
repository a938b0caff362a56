import { describe, expect, it } from 'vitest';
import { Channel } from '../../src/channel/channel.ts';
import { exploreChannel, replayChannel, type World } from './channel-world.ts';
import { ScheduleError } from './schedules.ts';

const EVERYTHING = [
  'send',
  'send(2)',
  'send(3)',
  'sendAborted',
  'trySend',
  'trySendMany(2)',
  'receive',
  'receiveMany(2)',
  'receiveMany(3)',
  'receiveAborted',
  'tryReceive',
  'tryReceiveMany(2)',
  'close',
  'abort',
];
const MUCH = ['send', 'send(2)', 'receive', 'receiveMany(2)', 'trySend', 'tryReceive', 'close', 'abort'];
const WAITING = ['send', 'send(2)', 'receive', 'receiveMany(2)'];
const OVERFLOWING = ['send', 'send(2)', 'send(3)', 'trySend', 'receive', 'receiveMany(2)', 'tryReceive'];

function world(what: Partial<World>): World {
  return {
    capacity: 1,
    overflow: 'wait',
    producers: 3,
    consumers: 3,
    operations: 6,
    cancellations: 0,
    offers: WAITING,
    endings: ['close'],
    ...what,
  };
}

interface Worlds {
  readonly name: string;
  readonly worlds: readonly World[];
  /** How many schedules they have: not one may get lost unseen. */
  readonly schedules: number;
}

/** `pnpm test:deep`: what takes a minute alone. */
const IS_DEEP = process.env['STREAMWELD_DEEP'] !== undefined;

const KINDS_OF_WORLDS: readonly Worlds[] = [
  {
    name: 'every operation there is, 4 of them, by capacity',
    worlds: [0, 1, 2, 3].map((capacity) => world({ capacity, operations: 4, offers: EVERYTHING })),
    schedules: 417_934,
  },
  {
    name: 'every operation there is, 3 of them, one cancelled at any step, closed or aborted at the end',
    worlds: [0, 1, 2, 3].map((capacity) =>
      world({
        capacity,
        operations: 3,
        cancellations: 1,
        offers: EVERYTHING,
        endings: ['close', 'abort'],
      }),
    ),
    schedules: 249_218,
  },
  {
    name: 'the same with the signals of the platform',
    worlds: [world({ operations: 3, cancellations: 1, offers: EVERYTHING, hasRealSignals: true })],
    schedules: 29_925,
  },
  {
    name: 'sends and receives, close and abort among them, 5 of them',
    worlds: [0, 1, 2].map((capacity) => world({ capacity, operations: 5, offers: MUCH })),
    schedules: 246_255,
  },
  {
    name: 'sends and receives, close and abort among them, 4 of them, one cancelled at any step',
    worlds: [0, 2].map((capacity) => world({ capacity, operations: 4, cancellations: 1, offers: MUCH })),
    schedules: 142_577,
  },
  {
    name: `sends and receives that wait, ${IS_DEEP ? 6 : 5} of them, one cancelled at any step`,
    worlds: [0, 1].map((capacity) => world({ capacity, cancellations: 1, operations: IS_DEEP ? 6 : 5 })),
    schedules: IS_DEEP ? 1_412_334 : 180_194,
  },
  {
    name: 'sends of up to 3 items, 6 of them with receives',
    worlds: [2, 3].map((capacity) =>
      world({ capacity, offers: ['send', 'send(3)', 'receive', 'receiveMany(2)'] }),
    ),
    schedules: 83_668,
  },
  {
    name: 'single items, 6 operations, two of them cancelled at any step',
    worlds: [0, 1].map((capacity) => world({ capacity, cancellations: 2, offers: ['send', 'receive'] })),
    schedules: 320_976,
  },
  {
    name: 'all with one signal, which aborts at any step',
    worlds: [0, 1].map((capacity) =>
      world({ capacity, operations: 5, cancellations: 1, sharesSignal: true }),
    ),
    schedules: 138_815,
  },
  ...(
    [
      ['dropOldest', 332_504],
      ['dropNewest', 332_162],
      ['fail', 332_162],
    ] as const
  )
    // They differ in who is left out alone.
    .filter(([overflow]) => IS_DEEP || overflow === 'dropOldest')
    .map(([overflow, schedules]) => ({
      name: `a channel that is full, and has overflow '${overflow}'`,
      worlds: [1, 2, 3].map((capacity) =>
        world({ capacity, overflow, operations: 4, cancellations: 1, offers: OVERFLOWING }),
      ),
      schedules,
    })),
];

describe('Channel, in every schedule of a small world', () => {
  it.each(KINDS_OF_WORLDS)('is as its model: $name', { timeout: 180_000 }, async ({ worlds, schedules }) => {
    let executed = 0;
    for (const each of worlds) executed += await exploreChannel(each);
    expect(executed).toBe(schedules);
  });

  it('in more than two million of them', () => {
    const sum = KINDS_OF_WORLDS.reduce((total, { schedules }) => total + schedules, 0);
    expect(sum).toBeGreaterThan(2_000_000);
  });
});

/** A channel that does something wrong. */
class LosingChannel extends Channel<number> {
  override tryReceiveMany(max: number): readonly number[] {
    const items = super.tryReceiveMany(max);
    return items.includes(3) ? items.slice(1) : items;
  }
}

describe('A schedule', () => {
  const small = world({ operations: 3, cancellations: 1 });

  it('is tried once: no two are the same', async () => {
    const texts: string[] = [];
    const schedules = await exploreChannel({ ...small, onSchedule: (text) => texts.push(text) });
    expect(texts).toHaveLength(schedules);
    expect(new Set(texts).size).toBe(schedules);
  });

  it('can be replayed from its text, each of them', async () => {
    const texts: string[] = [];
    await exploreChannel({
      ...small,
      operations: 2,
      offers: EVERYTHING,
      endings: ['close', 'abort'],
      onSchedule: (text) => texts.push(text),
    });
    expect(texts.length).toBeGreaterThan(1000);
    for (const text of texts) await replayChannel(text);
  });

  it('that goes wrong is told as a text, and goes wrong again from it', async () => {
    const create: World['create'] = (options) => new LosingChannel(options);
    const error: unknown = await exploreChannel({ ...small, create }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ScheduleError);
    const { schedule, message } = error as ScheduleError;
    expect(schedule).toBe('cap1 wait: p0.send(2) ~ p1.send ~ cancel p0 ~ c0.receive || close');
    expect(message).toContain(schedule);
    await expect(replayChannel(schedule, create)).rejects.toThrow(message);
    await replayChannel(schedule);
  });

  it('has its operations in the order and the turns of its text', async () => {
    await replayChannel('cap1 wait: p0.send(2) ~ c0.receive | cancel p0 | c1.tryReceive || close');
    await replayChannel('cap0 wait: c0.receive ~ p0.send ~ cancel c0 | c0.receive || abort');
    await replayChannel('cap2 dropOldest: p0.send(3) ~ p1.trySend | c0.receiveMany(2) || close');
    await replayChannel('cap0 wait: p0.send ~ p1.send ~ cancel all ~ c0.receive || close');
    await expect(replayChannel('cap1 wait: p0.fly || close')).rejects.toThrow();
  });
});
