import { describe, expect, it } from 'vitest';
import { type DispatcherWorld, exploreDispatcher, replayDispatcher, type Rule } from './dispatcher-world.ts';
import { ScheduleError } from './schedules.ts';

const SMALL: Omit<DispatcherWorld, 'name' | 'rule'> = {
  feeds: 2,
  sinks: 2,
  mostSinks: 3,
  concurrency: 1,
  bufferSize: 2,
  batchSize: 2,
  onError: 'detach',
  hasFlush: true,
  operations: 4,
  cancellations: 0,
  offers: ['write(3)', 'accept'],
  endings: ['drain'],
};

interface Worlds {
  /** Of each world of it, after the rule of its dispatcher: `demand-moves`. */
  readonly name: string;
  readonly title: string;
  readonly what: Partial<DispatcherWorld>;
  /** How many schedules each rule has: not one may get lost unseen. */
  readonly schedules: Partial<Record<Rule, number>>;
}

const KINDS_OF_WORLDS: readonly Worlds[] = [
  {
    name: 'moves',
    title: 'sinks join, leave and fail while items come, 6 operations',
    what: { operations: 6, offers: ['write(2)', 'accept', 'fail', 'join', 'leave'] },
    schedules: { broadcast: 9822, demand: 4685, names: 6014, keyed: 3000, custom: 8948 },
  },
  {
    name: 'three',
    title: 'three feeds that come to their end and three sinks, 5 operations',
    what: { operations: 5, feeds: 3, sinks: 3, offers: ['write', 'write(3)', 'accept', 'leave', 'end'] },
    schedules: { broadcast: 11_839, demand: 8806, keyed: 5959, custom: 8715 },
  },
  {
    name: 'late',
    title: 'what sinks accepted is durable later, or is lost, 5 operations with flushes',
    what: {
      operations: 5,
      hasFlush: false,
      offers: ['write(2)', 'accept', 'later', 'durable', 'lost', 'flush', 'leave'],
    },
    schedules: { broadcast: 2938, demand: 1484, names: 3280, keyed: 1209, custom: 3192 },
  },
  {
    name: 'cancelled',
    title: 'a feed is cancelled at any step, 4 operations with flushes',
    what: {
      cancellations: 1,
      offers: ['write(3)', 'accept', 'leave', 'flush', 'end'],
      endings: ['drain', 'cancel'],
    },
    schedules: { broadcast: 3730, demand: 4684, names: 4898, keyed: 2810, custom: 4920 },
  },
  {
    name: 'fatal',
    title: 'a sink that fails ends all, an abort too, 4 operations and a cancellation',
    what: {
      cancellations: 1,
      onError: 'fail',
      bufferSize: 3,
      offers: ['write(3)', 'accept', 'later', 'fail', 'lost', 'leave', 'abort', 'end'],
    },
    schedules: { broadcast: 4950, demand: 2381, names: 3476, keyed: 3582, custom: 4171 },
  },
  {
    name: 'turns',
    title: 'several things happen in one turn, 4 operations',
    what: {
      sharesTurns: true,
      sinks: 1,
      mostSinks: 2,
      offers: ['write(3)', 'accept', 'fail', 'join', 'leave', 'end'],
    },
    schedules: { broadcast: 969, demand: 1063, names: 1485, keyed: 931, custom: 1085 },
  },
  {
    name: 'cancelled-turns',
    title: 'several things happen in one turn, a cancellation at any step among them',
    what: {
      operations: 3,
      cancellations: 1,
      sharesTurns: true,
      sinks: 1,
      mostSinks: 2,
      offers: ['write(3)', 'accept', 'fail', 'join', 'leave', 'flush'],
      endings: ['drain', 'cancel'],
    },
    schedules: { broadcast: 3552, demand: 3572, names: 3974, keyed: 3510, custom: 3606 },
  },
  {
    name: 'seats',
    title: 'two writes at once for each sink, 6 operations',
    what: {
      operations: 6,
      concurrency: 2,
      bufferSize: 4,
      batchSize: 1,
      offers: ['write(3)', 'accept', 'leave', 'fail'],
    },
    schedules: { broadcast: 24_468, demand: 7770, keyed: 6490, custom: 8756 },
  },
];

/** `pnpm test:deep` plays two writes at once for each sink too: a quarter of all schedules. */
const IS_DEEP = process.env['STREAMWELD_DEEP'] !== undefined;

const CASES = KINDS_OF_WORLDS.filter(({ name }) => IS_DEEP || name !== 'seats').flatMap(
  ({ name, title, what, schedules }) =>
    Object.entries(schedules).map(([rule, expected]) => ({
      title: `${rule}: ${title}`,
      expected,
      world: { ...SMALL, ...what, name: `${rule}-${name}`, rule: rule as Rule },
    })),
);
const WORLDS = CASES.map(({ world }) => world);

describe('Dispatcher, in every schedule of a small world', () => {
  it.each(CASES)('keeps what it promises, $title', { timeout: 180_000 }, async ({ world, expected }) => {
    expect(await exploreDispatcher(world)).toBe(expected);
  });

  it('in more than a hundred thousand of them', () => {
    expect(CASES.reduce((sum, { expected }) => sum + expected, 0)).toBeGreaterThan(100_000);
  });
});

describe('A schedule of a dispatcher', () => {
  const few = (world: DispatcherWorld): DispatcherWorld => ({
    ...world,
    operations: 2,
    cancellations: Math.min(world.cancellations, 1),
  });

  it('is tried once, and can be replayed from its text', async () => {
    for (const world of WORLDS.map(few)) {
      const texts: string[] = [];
      const schedules = await exploreDispatcher({ ...world, onSchedule: (text) => texts.push(text) });
      expect(texts).toHaveLength(schedules);
      expect(new Set(texts).size).toBe(schedules);
      for (const text of texts) await replayDispatcher([world], text);
    }
  });

  it('that goes wrong is told as a text, and goes wrong again from it', async () => {
    const world: DispatcherWorld = { ...SMALL, name: 'broadcast-wrong', rule: 'broadcast' };
    // Each item to one sink alone is no broadcast.
    const broken: DispatcherWorld = { ...world, create: (builder) => builder.demand() };
    const error: unknown = await exploreDispatcher(broken).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ScheduleError);
    const { schedule, message } = error as ScheduleError;
    expect(message).toContain(schedule);
    const whole = schedule.includes('||') ? schedule : `${schedule} || drain`;
    await expect(replayDispatcher([broken], whole)).rejects.toThrow(message);
    await exploreDispatcher({ ...world, operations: 3 });
  });

  it('that cannot be is refused', async () => {
    for (const text of ['f0.write(2) || drain', 'demand-moves: f0.write(2)', 'other: f0.write(2) || drain'])
      await expect(replayDispatcher(WORLDS, text)).rejects.toThrow('Not a schedule');
    await expect(replayDispatcher(WORLDS, 'demand-moves: s0.accept || drain')).rejects.toThrow(
      'cannot be done',
    );
  });
});
