/** The rules of a checkpoint store: kept by core's own, and broken by none unseen. */

import { type CheckpointStore, MemoryCheckpointStore } from '@streamweld/core';
import {
  CHECKPOINT_CHECKS,
  type CheckpointHarness,
  checkpointSuite,
  findBreaches,
} from '@streamweld/testing';
import { describe, expect, test } from 'vitest';

checkpointSuite({ describe, test }, 'MemoryCheckpointStore', {
  prepare() {
    const store = new MemoryCheckpointStore();
    return { open: () => store };
  },
});

type Positions = ReadonlyMap<string, unknown>;

/** A store with some methods replaced; `saved` is what it keeps. */
function broken(
  replace: (store: MemoryCheckpointStore, saved: Map<string, Positions>) => Partial<CheckpointStore>,
): CheckpointHarness {
  return {
    prepare() {
      const store = new MemoryCheckpointStore();
      const whole: CheckpointStore = {
        load: (name) => store.load(name),
        save: (name, positions) => store.save(name, positions),
        acquire: (name) => store.acquire(name),
      };
      const parts = replace(store, new Map());
      return { open: () => ({ ...whole, ...parts }) };
    },
  };
}

const DEFECTS: readonly [rule: string, defect: string, harness: CheckpointHarness][] = [
  [
    'C1',
    'answers the first save for ever',
    broken((store, saved) => ({
      save(name, positions) {
        if (!saved.has(name)) store.save(name, positions);
        saved.set(name, positions);
      },
    })),
  ],
  [
    'C2',
    'shows a save only to who made it',
    { prepare: () => ({ open: () => new MemoryCheckpointStore() }) },
  ],
  [
    'C2',
    'adds to what is there',
    broken((store) => ({
      save: (name, positions) => store.save(name, new Map([...store.load(name), ...positions])),
    })),
  ],
  [
    'C2',
    'saves lane by lane',
    broken((store) => ({
      async save(name, positions) {
        const given = [...positions];
        store.save(name, new Map());
        for (const [lane, position] of given) {
          await new Promise((resolve) => setImmediate(resolve));
          store.save(name, new Map([...store.load(name), [lane, position]]));
        }
      },
    })),
  ],
  [
    'C3',
    'takes two spellings for one name',
    broken((store) => ({
      load: (name) => store.load(name.toLowerCase()),
      save: (name, positions) => store.save(name.toLowerCase(), positions),
    })),
  ],
  ['C4', 'fences nobody', broken((store) => ({ acquire: () => store }))],
  [
    'C5',
    'keeps what JSON leaves of a position',
    broken((store) => ({
      save(name, positions) {
        const text = JSON.stringify([...positions], (_, value: unknown) =>
          typeof value === 'bigint' ? 0 : value,
        );
        store.save(name, new Map(JSON.parse(text) as [string, unknown][]));
      },
    })),
  ],
  [
    'C6',
    'answers the very map it keeps',
    broken((_, saved) => ({
      load: (name) => saved.get(name),
      save: (name, positions) => void saved.set(name, new Map(positions)),
    })),
  ],
  [
    'C7',
    'leaves a timer',
    broken((store) => ({
      save(name, positions) {
        setTimeout(() => {}, 3000);
        store.save(name, positions);
      },
    })),
  ],
  [
    'C8',
    'tells a secret',
    {
      secrets: ['hunter2'],
      prepare: () => {
        const fail = (): never => {
          const cause = new Error('postgres://me:hunter2@db');
          throw Object.assign(new Error('It cannot reach its database.', { cause }), {
            code: 'MY_STORE_LOST',
          });
        };
        const store = new MemoryCheckpointStore();
        return { open: () => store, openBroken: () => ({ load: fail, save: fail, acquire: fail }) };
      },
    },
  ],
];

describe('the checks of a checkpoint store', () => {
  test.each(DEFECTS)('%s catches a store that %s', async (rule, _defect, harness) => {
    const breaches = await findBreaches(harness, CHECKPOINT_CHECKS);
    expect(breaches.map((breach) => breach.rule)).toContain(rule);
  });
});
