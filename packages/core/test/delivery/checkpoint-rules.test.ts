/** The rules of a checkpoint store: held by the store of core, and able to catch one that breaks them. */

import { type CheckpointStore, MemoryCheckpointStore } from '@streamweld/core';
import { expect, test } from 'vitest';
import { CHECKPOINT_RULES, describeCheckpointRules, type OpenStore } from './checkpoint-rules.ts';

describeCheckpointRules('MemoryCheckpointStore', () => {
  const store = new MemoryCheckpointStore();
  return () => store;
});

type Positions = ReadonlyMap<string, unknown>;

/** A store with one method replaced; `saved` is what it keeps. */
function broken(
  replace: (store: MemoryCheckpointStore, saved: Map<string, Positions>) => Partial<CheckpointStore>,
) {
  return (): OpenStore => {
    const store = new MemoryCheckpointStore();
    const whole: CheckpointStore = {
      load: (name) => store.load(name),
      save: (name, positions) => store.save(name, positions),
      acquire: (name) => store.acquire(name),
    };
    const parts = replace(store, new Map());
    return () => ({ ...whole, ...parts });
  };
}

test.each<[rule: string, defect: string, prepare: () => OpenStore]>([
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
    'C1',
    'keeps the very map',
    broken((_, saved) => ({
      load: (name) => saved.get(name),
      save: (name, positions) => void saved.set(name, positions),
    })),
  ],
  [
    'C1',
    'lets a later save be overtaken',
    broken((store) => ({
      async save(name, positions) {
        for (let turns = 10 - Number(positions.get('a') ?? 0); turns > 0; turns -= 1) await Promise.resolve();
        store.save(name, positions);
      },
    })),
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
    'shows a save only to who made it',
    () => {
      return () => new MemoryCheckpointStore();
    },
  ],
  [
    'C3',
    'takes two spellings for one name',
    broken((store) => ({
      load: (name) => store.load(name.toLowerCase()),
      save: (name, positions) => store.save(name.toLowerCase(), positions),
    })),
  ],
  [
    'C3',
    'cuts long names',
    broken((store) => ({
      load: (name) => store.load(name.slice(0, 200)),
      save: (name, positions) => store.save(name.slice(0, 200), positions),
    })),
  ],
  ['C4', 'fences nobody', broken((store) => ({ acquire: () => store }))],
  [
    'C4',
    'fences whoever has another name',
    broken((store) => {
      return { acquire: (name) => renamed(store.acquire('one for all'), store, name) };
    }),
  ],
])('%s catches a store that %s', async (rule, _defect, prepare) => {
  const caught = new Set<string>();
  for (const { rule: number, check } of CHECKPOINT_RULES) {
    await check(prepare()).catch(() => caught.add(number));
  }
  expect([...caught]).toContain(rule);
});

/** Fenced by one name, kept under another. */
function renamed(fence: CheckpointStore, store: CheckpointStore, name: string): CheckpointStore {
  return {
    load: () => store.load(name),
    async save(_name, positions) {
      await fence.save('one for all', positions);
      await store.save(name, positions);
    },
  };
}
