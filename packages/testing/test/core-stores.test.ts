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

/** A run that reads once, and then knows its own saves alone. */
function remembering(run: CheckpointStore, found: Positions): CheckpointStore {
  let known = found;
  return {
    load: () => new Map(known),
    async save(name, positions) {
      await run.save(name, positions);
      known = new Map(positions);
    },
  };
}

function unreachable(where: string): CheckpointStore {
  const fail = (): never => {
    const cause = new Error(where);
    throw Object.assign(new Error('It cannot reach its database.', { cause }), { code: 'MY_STORE_LOST' });
  };
  return { load: fail, save: fail, acquire: fail };
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
    'C1',
    'keeps the very map',
    broken((_, saved) => ({
      load: (name) => new Map(saved.get(name)),
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
    'C1',
    'answers to a run what there was when it began',
    broken((store) => ({ acquire: (name) => remembering(store.acquire(name), store.load(name)) })),
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
        for (const count of new Set([0, 1, given.length])) {
          store.save(name, new Map(given.slice(0, count)));
          await new Promise((resolve) => setImmediate(resolve));
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
    broken((store) => ({ acquire: (name) => renamed(store.acquire('one for all'), store, name) })),
  ],
  [
    'C5',
    'loses that an object has no prototype',
    broken((store) => ({ save: (name, positions) => store.save(name, structuredClone(positions)) })),
  ],
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
      ...broken(() => ({})),
      secrets: ['hunter2'],
      openBroken: () => unreachable('postgres://me:hunter2@db'),
    },
  ],
  [
    'C8',
    'answers nothing where it cannot reach anything',
    { ...broken(() => ({})), openBroken: () => new MemoryCheckpointStore() },
  ],
  [
    'C8',
    'has no code for what it cannot reach',
    {
      ...broken(() => ({})),
      openBroken: () => ({
        ...unreachable('db'),
        load: () => Promise.reject(new Error('It cannot reach its database.')),
      }),
    },
  ],
];

describe('the checks of a checkpoint store', () => {
  test.each(DEFECTS)('%s catches a store that %s', async (rule, _defect, harness) => {
    const breaches = await findBreaches(harness, CHECKPOINT_CHECKS);
    expect(breaches.map((breach) => breach.rule)).toContain(rule);
  });

  test('say the seed and the calls where an order of calls is what shows it', async () => {
    const harness = DEFECTS.find(
      ([, defect]) => defect === 'answers to a run what there was when it began',
    )?.[2];
    const breaches = await findBreaches(harness as CheckpointHarness, CHECKPOINT_CHECKS);
    const said = breaches.map(({ error }) => (error as Error).message);
    expect(breaches.map(({ rule }) => rule)).toEqual(['C1']);
    expect(said[0]).toMatch(
      /^Under '[oO]rders\S*' it answers \{.*\}, and \{.*\} is saved\.\nWith seed 1, after: .*; load [oO]rders\S*\.$/,
    );
  });

  test('of what cannot be reached are registered where there is such a store, and nowhere else', () => {
    const titlesOf = (harness: CheckpointHarness): string[] => {
      const titles: string[] = [];
      const runner = {
        describe: (_: string, body: () => void) => body(),
        test: (title: string) => titles.push(title),
      };
      checkpointSuite(runner, 'a store', harness);
      return titles.filter((title) => title.includes('cannot reach'));
    };
    const harness = broken(() => ({}));
    expect(titlesOf(harness)).toEqual([]);
    expect(titlesOf({ ...harness, openBroken: () => unreachable('db') })).toHaveLength(1);
  });
});
