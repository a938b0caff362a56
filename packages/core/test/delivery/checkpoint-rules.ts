/**
 * The rules of a checkpoint store (checkpoint.ts) as checks that any store can be put to: core's own, those of other
 * packages, and stores that are broken on purpose.
 */

import type { CheckpointStore } from '@streamweld/core';
import { describe, expect, test } from 'vitest';

/** A medium of positions: each call opens a store on it, as another run, or another process, would. */
export type OpenStore = () => CheckpointStore;

export interface CheckpointRule {
  readonly rule: 'C1' | 'C2' | 'C3' | 'C4';
  readonly sentence: string;
  check(open: OpenStore): Promise<void>;
}

const NAMES = [
  'orders',
  'Orders',
  'ORDERS',
  'a/b',
  'a_b',
  'a%2fb',
  '..',
  '.',
  'orders.1',
  'é',
  'e\u0301',
  '店',
  '~',
];
const LONG = ['a', 'b'].map((end) => `${'very long '.repeat(100)}${end}`);

export const CHECKPOINT_RULES: readonly CheckpointRule[] = [
  {
    rule: 'C1',
    sentence: 'holds nothing before the first save',
    check: async (open) => expect([...((await open().load('orders')) ?? [])]).toEqual([]),
  },
  {
    rule: 'C1',
    sentence: 'answers what the last save was given, save after save',
    check: async (open) => {
      const store = open();
      for (let position = 1; position <= 5; position += 1) {
        await store.save('orders', lanes({ a: position, b: { offset: position, done: true } }));
        expect(await store.load('orders')).toEqual(
          lanes({ a: position, b: { offset: position, done: true } }),
        );
      }
    },
  },
  {
    rule: 'C1',
    sentence: 'keeps the order of saves that nobody waited for',
    check: async (open) => {
      const store = open();
      await Promise.all(
        [1, 2, 3, 4, 5].map(async (position) => store.save('orders', lanes({ a: position }))),
      );
      expect(await store.load('orders')).toEqual(lanes({ a: 5 }));
    },
  },
  {
    rule: 'C1',
    sentence: 'keeps what a save was given, not what became of that map afterwards',
    check: async (open) => {
      const store = open();
      const given = new Map<string, unknown>([['a', 1]]);
      const saving = store.save('orders', given);
      given.set('a', 2).set('b', 3);
      await saving;
      expect(await store.load('orders')).toEqual(lanes({ a: 1 }));
    },
  },
  {
    rule: 'C2',
    sentence: 'replaces all positions: a lane that is not given is gone',
    check: async (open) => {
      const store = open();
      await store.save('orders', lanes({ a: 1, b: 2 }));
      await store.save('orders', lanes({ b: 3 }));
      expect(await store.load('orders')).toEqual(lanes({ b: 3 }));
      await store.save('orders', new Map());
      expect([...((await store.load('orders')) ?? [])]).toEqual([]);
    },
  },
  {
    rule: 'C2',
    sentence: 'shows whoever opens it afterwards what was saved',
    check: async (open) => {
      await open().save('orders', lanes({ a: 1 }));
      expect(await open().load('orders')).toEqual(lanes({ a: 1 }));
    },
  },
  {
    rule: 'C3',
    sentence: 'shares nothing between names, however alike they are',
    check: async (open) => {
      const names = [...NAMES, ...LONG];
      for (const name of names) await open().save(name, lanes({ [name]: name }));
      for (const name of names) expect(await open().load(name)).toEqual(lanes({ [name]: name }));
    },
  },
  {
    rule: 'C4',
    sentence: 'gives whoever takes a name over what was saved under it, and keeps what it saves',
    check: async (open) => {
      await open().save('orders', lanes({ a: 1 }));
      const run = await acquire(open);
      expect(await run.load('orders')).toEqual(lanes({ a: 1 }));
      for (const position of [2, 3, 4]) await run.save('orders', lanes({ a: position }));
      expect(await run.load('orders')).toEqual(lanes({ a: 4 }));
      expect(await open().load('orders')).toEqual(lanes({ a: 4 }));
    },
  },
  {
    rule: 'C4',
    sentence: 'refuses every save of an earlier one, from then on, and changes nothing by it',
    check: async (open) => {
      const runs: CheckpointStore[] = [];
      for (const position of [1, 2, 3]) {
        const run = await acquire(open);
        await run.save('orders', lanes({ a: position }));
        runs.push(run);
      }
      const [first, second, third] = runs as [CheckpointStore, CheckpointStore, CheckpointStore];
      for (let round = 4; round <= 9; round += 1) {
        for (const run of [first, second]) await expectFenced(run.save.bind(run, 'orders', lanes({ a: -1 })));
        expect(await open().load('orders')).toEqual(lanes({ a: round - 1 }));
        await third.save('orders', lanes({ a: round }));
      }
    },
  },
  {
    rule: 'C4',
    sentence: 'refuses one that never saved before it was taken over',
    check: async (open) => {
      const first = await acquire(open);
      await acquire(open);
      await expectFenced(first.save.bind(first, 'orders', lanes({ a: 1 })));
      expect([...((await open().load('orders')) ?? [])]).toEqual([]);
    },
  },
  {
    rule: 'C4',
    sentence: 'leaves other names alone',
    check: async (open) => {
      const orders = await acquire(open);
      await acquire(open, 'Orders');
      await orders.save('orders', lanes({ a: 1 }));
      expect(await open().load('orders')).toEqual(lanes({ a: 1 }));
    },
  },
];

/** Holds a store to the rules; `prepare` makes a medium with nothing on it, for each of them. */
export function describeCheckpointRules(name: string, prepare: () => OpenStore): void {
  describe(`${name}, by the rules of a checkpoint store`, () => {
    for (const { rule, sentence, check } of CHECKPOINT_RULES) {
      test(`${rule} ${sentence}`, () => check(prepare()));
    }
  });
}

export function lanes(positions: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(positions));
}

async function acquire(open: OpenStore, name = 'orders'): Promise<CheckpointStore> {
  const run = await open().acquire?.(name);
  if (run === undefined) throw new Error('This store cannot be acquired: it is not held to C4.');
  return run;
}

async function expectFenced(save: () => unknown): Promise<void> {
  await expect((async () => save())()).rejects.toMatchObject({ code: 'SW_CHECKPOINT_FENCED' });
}
