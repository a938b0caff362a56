/**
 * How an end, an error, an abort and a close travel, forward and backward: the table, walked.
 *
 * It is informed by the piping tests of the web streams standard, whose question it asks of everything that is run here:
 * who hears of it, in which order, with which reason, and that nobody hears of two ends.
 */

import { describe, expect, it } from 'vitest';
import { useVirtualClock } from '../clock.ts';
import { useLeakCheck } from '../leak-check.ts';
import { arrange } from './arrange.ts';
import { type Case, type Moment, type Thrown, titleOf } from './case.ts';
import { CASES } from './cases.ts';
import { World } from './world.ts';

const time = useVirtualClock();
const leaks = useLeakCheck(time);

/** Whether the case is where it says it is, when it comes to what it is about. */
const MOMENTS: Readonly<Record<Moment, (world: World) => boolean>> = {
  'before the run': ({ log, scene }) =>
    (scene?.pipeline?.state ?? 'idle') === 'idle' && log.every(({ what }) => what.endsWith('.open')),
  'while opening': ({ scene, log }) =>
    scene?.pipeline === undefined ? log.length === 1 : scene.pipeline.state === 'opening',
  'with an empty buffer': (world) =>
    ['running', undefined].includes(world.scene?.pipeline?.state) && waitingItems(world) === 0,
  'with a write outstanding': (world) => isBusy(world) && queuedItems(world) === 0,
  'with items buffered': (world) => queuedItems(world) > 0,
  'with a retry pending': (world) =>
    world.clock.activeTimers > 0 && !world.anyWaits('write') && waitingItems(world) > 0,
  'while paused': ({ scene }) => scene?.pipeline?.state === 'paused',
  'while draining': ({ scene }) => scene?.pipeline?.state === 'draining',
  'while flushing': (world) => world.anyWaits('flush'),
  'while committing': (world) => world.anyWaits('commit'),
  'while closing': (world) =>
    world.scene?.pipeline?.state === 'closing' && (world.anyWaits('close') || world.anyWaits('final')),
  'after an error': (world) => isEnding(world),
  'after an abort': (world) => isEnding(world),
};

function isBusy(world: World): boolean {
  return world.anyWaits('write') || world.anyWaits('body') || world.anyWaits('call');
}

function isEnding({ scene }: World): boolean {
  return scene?.pipeline?.state === 'aborting' || scene?.pipeline?.state === 'closing';
}

/** Items in the buffer of the pipeline, and in those of the sinks of its dispatcher. */
function queuedItems({ scene }: World): number {
  const buffers = scene?.pipeline?.snapshot().edges.map(({ buffer }) => buffer?.queued ?? 0) ?? [];
  const outlets = scene?.dispatcher?.sinks().map(({ buffered }) => buffered) ?? [];
  return [...buffers, ...outlets].reduce((sum, items) => sum + items, 0);
}

/** And those that are being written, or wait to be written again. */
function waitingItems(world: World): number {
  const { pipeline, dispatcher } = world.scene ?? {};
  const buffers = pipeline?.snapshot().edges.map(({ buffer }) => buffer?.inFlight ?? 0) ?? [];
  const outlets = dispatcher?.sinks().map(({ inFlight }) => inFlight) ?? [];
  return queuedItems(world) + [...buffers, ...outlets].reduce((sum, items) => sum + items, 0);
}

async function walk(each: Case, thrown: Thrown): Promise<void> {
  const world = new World(time(), each.with ?? {}, thrown);
  leaks.watch(world.user.signal);
  const given = each.given ?? [];
  const first = given.findIndex((line) => !line.startsWith('let '));
  const lets = first < 0 ? given : given.slice(0, first);
  await world.steps(lets);
  world.scene = await time().run(arrange(world, each.shape));
  if (each.at !== 'before the run') {
    world.begin();
    await world.settle();
  }
  await world.steps(given.slice(lets.length));
  expect(MOMENTS[each.at](world), `it is ${each.at}`).toBe(true);
  const start = world.log.length;
  await world.steps(each.when);

  expect(world.ending).toBe(each.run);
  expect(world.callsFrom(start)).toEqual(each.calls);
  expect(world.suppressed).toEqual(each.suppressed ?? []);
  if (world.outcome === undefined) await end(world);
  else checkEnd(world, each.signal);
}

/** A case that says that it goes on is brought to its end, so that it can be seen that nothing is left. */
async function end(world: World): Promise<void> {
  const aborting = world.scene?.pipeline?.abort(new Error('the case is over'));
  world.answerAll();
  await time().run(Promise.resolve(aborting));
  await world.settle();
  checkEnd(world, 'by place');
}

/** Opened at most once, closed exactly once, and not called after that; and everybody's signal says the same. */
function checkEnd(world: World, signal: Case['signal']): void {
  expect(world.settledTimes).toBe(1);
  if (world.scene?.pipeline !== undefined) expect(world.scene.pipeline.state).toBe('done');
  for (const [party, context] of world.contexts) {
    leaks.watch(context.signal);
    const calls = world.log
      .map(({ what }) => what.split(' ')[0] as string)
      .filter((what) => what.startsWith(`${party}.`))
      .map((what) => what.slice(party.length + 1));
    expect([party, calls.indexOf('open'), calls.lastIndexOf('open')]).toEqual([party, 0, 0]);
    expect([party, calls.indexOf('close'), calls.lastIndexOf('close')]).toEqual([
      party,
      calls.length - 1,
      calls.length - 1,
    ]);
    if (signal === 'by place') continue;
    const hasFailed = world.outcome !== undefined && 'error' in world.outcome;
    const wanted = signal ?? (hasFailed && world.scene?.pipeline !== undefined ? '!' : 'quiet');
    const { aborted, reason } = context.signal;
    expect([party, aborted ? world.say(reason) : 'quiet']).toEqual([party, wanted]);
  }
}

/** Whether somebody else's value comes to the run without being the reason of an abort, which is an error. */
function isForAll({ forAll, given = [], when, shape }: Case): boolean {
  const lines = [...given, ...when].join(' ');
  return forAll ?? (lines.includes('E1') && !lines.includes('aborts E1') && shape !== 'Node streams');
}

describe('Propagation', () => {
  it.each(CASES.map((each) => [titleOf(each), each] as const))('%s', async (_, each) => {
    await walk(each, 'an error');
  });
});

for (const thrown of ['undefined', 'a frozen object'] as const) {
  describe(`Propagation of ${thrown}`, () => {
    it.each(CASES.filter(isForAll).map((each) => [titleOf(each), each] as const))('%s', async (_, each) => {
      await walk(each, thrown);
    });
  });
}

describe('The table', () => {
  it('has at least a hundred cases, each with a title of its own', () => {
    const titles = new Set(CASES.map(titleOf));
    expect(titles.size).toBe(CASES.length);
    expect(titles.size).toBeGreaterThanOrEqual(100);
  });

  it('has cases for every arrangement', () => {
    const shapes = CASES.map(({ shape }) => shape);
    expect(new Set(shapes).size).toBe(10);
    for (const shape of new Set(shapes))
      expect(shapes.filter((each) => each === shape).length, shape).toBeGreaterThanOrEqual(5);
  });

  it('has a case for every moment', () => {
    expect(new Set(CASES.map(({ at }) => at))).toEqual(new Set(Object.keys(MOMENTS)));
  });
});
