/** strategySuite: kept by strategies that keep the rules, and telling what a failure needs to be played again. */

import type { DispatchStrategy } from '@streamweld/core';
import { findBreaches, STRATEGY_CHECKS, type StrategyHarness, strategySuite } from '@streamweld/testing';
import { describe, expect, test } from 'vitest';
import { BY_REMAINDER, SPILL, spill, TO_ALL } from './strategies/plain-strategies.ts';

strategySuite({ describe, test }, 'spill, the one of the guide', SPILL);
strategySuite({ describe, test }, 'a broadcast, item by item', TO_ALL);
strategySuite({ describe, test }, 'a partition, item by item', BY_REMAINDER);
strategySuite({ describe, test }, 'one that draws lots', {
  create: (random) => ({
    ...spill,
    dispatch: (items, from, outlets) => {
      const free = [...outlets.keys()].filter((at) => (outlets[at]?.demand ?? 0) > 0);
      const outlet = free[Math.floor(random() * free.length)];
      if (outlet === undefined) return { taken: 0, deliveries: [] };
      const share = items.slice(from, from + (outlets[outlet]?.demand ?? 0));
      return { taken: share.length, deliveries: [{ outlet, items: share }] };
    },
  }),
  item: (index) => index,
});

/** Gives one too many where there is an outlet that is named so. */
const broken: StrategyHarness<unknown> = {
  create: () => ({
    name: 'broken',
    demand: () => 0,
    dispatch: (items, from, outlets) => {
      const outlet = outlets.findIndex(({ demand, selector }) => demand === 1 && selector !== undefined);
      const given = items.slice(from, from + 2);
      return outlet === -1
        ? { taken: 0, deliveries: [] }
        : { taken: given.length, deliveries: [{ outlet, items: given }] };
    },
  }),
  item: (index) => index,
};
const D3 = STRATEGY_CHECKS.filter(({ rule }) => rule === 'D3');

async function messageOf(harness: StrategyHarness<unknown>, checks = D3): Promise<string> {
  const [breach] = await findBreaches(harness, checks);
  return breach === undefined ? 'no breach' : (breach.error as Error).message;
}

describe('strategySuite', () => {
  test('tells the smallest state in which a rule is broken, as text', async () => {
    const message = await messageOf(broken);
    expect(message).toMatch(
      /^It gave outlet \d 2 items against a demand of 1\.\nBroken in \d+ of 2000 states/,
    );
    expect(message).toMatch(/\n {2}dispatch of items (\d+) to \d+, from place 0 on, to [12] outlets\n/);
    expect(message).toMatch(/\n {4}\d: '\S+ \d', (partition \S+, )?demand 1, wants (no )?items/);
    expect(message).toMatch(/\n {2}answered: 2 taken; items \d+ to \d+ to \d$/);
  });

  test('tells the same each time, and plays the state again by its seed', async () => {
    const message = await messageOf(broken);
    expect(await messageOf(broken)).toBe(message);
    const seed = Number(/has seed (\d+)/.exec(message)?.[1]);
    const again = await messageOf({ ...broken, seed, states: 1 });
    expect(again).toContain('Broken in 1 of 1 states');
    expect(again.split('\n').toSpliced(1, 1)).toEqual(message.split('\n').toSpliced(1, 1));
  });

  test('tries as many states as it is asked for, and asks a new strategy in each', async () => {
    let created = 0;
    const harness: StrategyHarness<unknown> = {
      item: (index) => index,
      states: 17,
      create: () => {
        created += 1;
        return spill as DispatchStrategy<unknown>;
      },
    };
    expect(await messageOf(harness)).toBe('no breach');
    expect(created).toBe(17);
  });

  test('tells what a strategy throws, in which state, with the error as its cause', async () => {
    const error = new RangeError('no such thing');
    const harness: StrategyHarness<unknown> = {
      ...broken,
      create: () => ({
        name: 'throwing',
        demand: () => 0,
        dispatch: () => {
          throw error;
        },
      }),
    };
    const breaches = await findBreaches(harness, STRATEGY_CHECKS);
    expect(breaches).toHaveLength(STRATEGY_CHECKS.length);
    for (const breach of breaches) {
      expect((breach.error as Error).message).toMatch(
        /^no such thing\nBroken in 2000 of 2000 states.*\n {2}dispatch/,
      );
      expect((breach.error as Error).cause).toBe(error);
    }
  });

  test('tells that an answer is none', async () => {
    const dispatch = (() => ({ taken: 0 })) as unknown as typeof spill.dispatch;
    const harness = { ...SPILL, create: () => ({ ...spill, dispatch }) } as StrategyHarness<unknown>;
    expect(await messageOf(harness)).toContain('It answers { taken: 0 }, which is no dispatch.');
  });

  test('tells that a harness makes two items alike', async () => {
    const message = await messageOf({ ...(SPILL as StrategyHarness<unknown>), item: (index) => index % 2 });
    expect(message).toMatch(/The harness makes item \d+ the same as item \d+: [01]\./);
  });
});
