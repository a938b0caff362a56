/** What each rule of a checkpoint store comes to when it is tried. */

import assert from 'node:assert/strict';
import type { CheckpointStore } from '@streamweld/core';
import { checkTold } from './checkpoint-error.ts';
import { playCheckpoints } from './checkpoint-model.ts';
import type { CheckpointHarness, CheckpointMedium } from './checkpoint-suite.ts';
import {
  DOUBTFUL_NAMES,
  doubtfulPositions,
  largePositions,
  ODD_NAMES,
  plainPositions,
} from './checkpoint-values.ts';
import { LeakCheck } from './leak-check.ts';
import { Random } from './random.ts';
import { type Check, within } from './suite.ts';

type Positions = ReadonlyMap<string, unknown>;
type Tried = (medium: CheckpointMedium, harness: CheckpointHarness) => Promise<void>;

/** How long a store may take for what takes it milliseconds, in real time. */
const SOON_MS = 10_000;

const CALLS = ['load', 'save', 'acquire'] as const;

export const CHECKPOINT_CHECKS: readonly Check<CheckpointHarness>[] = [
  check('C1', 'holds nothing before the first save', async ({ open }) => {
    assert.deepEqual([...((await open().load('orders')) ?? [])], []);
  }),

  check('C1', 'answers what the last save was given, save after save', async ({ open }) => {
    const store = open();
    for (let offset = 1; offset <= 5; offset += 1) {
      const positions = lanes({ a: offset, b: { offset, done: true } });
      await store.save('orders', positions);
      await holds(store, 'orders', positions);
    }
  }),

  check('C1', 'keeps the order of saves that nobody waited for', async ({ open }) => {
    const store = open();
    const saves = [1, 2, 3, 4, 5].map(async (offset) => store.save('orders', lanes({ a: offset })));
    await Promise.all(saves);
    await holds(store, 'orders', lanes({ a: 5 }));
  }),

  check('C1', 'keeps what a save was given, not what became of that map afterwards', async ({ open }) => {
    const store = open();
    const given = new Map<string, unknown>([['a', 1]]);
    const saving = store.save('orders', given);
    given.set('a', 2).set('b', 3);
    await saving;
    given.clear();
    await holds(store, 'orders', lanes({ a: 1 }));
  }),

  check('C1', 'shows a save also to who had loaded before it', async ({ open }) => {
    const reader = open();
    const writer = open();
    await writer.save('orders', lanes({ a: 1 }));
    await holds(reader, 'orders', lanes({ a: 1 }));
    await writer.save('orders', lanes({ a: 2 }));
    await holds(reader, 'orders', lanes({ a: 2 }));
  }),

  check(
    'C1',
    'answers as a map of maps would, whoever calls what, in an order that a seed draws',
    async (medium) => {
      await playCheckpoints(medium, 1, 150);
    },
  ),

  check('C2', 'replaces all positions: a lane that is not given is gone', async ({ open }) => {
    const store = open();
    await store.save('orders', lanes({ a: 1, b: 2 }));
    await store.save('orders', lanes({ b: 3 }));
    await holds(store, 'orders', lanes({ b: 3 }));
    await store.save('orders', new Map());
    assert.deepEqual([...((await store.load('orders')) ?? [])], []);
  }),

  check('C2', 'shows whoever opens it afterwards what was saved', async (medium) => {
    await medium.open().save('orders', lanes({ a: 1 }));
    await medium.crash?.();
    await holds(medium.open(), 'orders', lanes({ a: 1 }));
  }),

  check('C2', 'answers the positions before or after a save that was cut off, whole', async (medium) => {
    const chance = new Random(2);
    let least = 0;
    await medium.open().save('orders', round(0));
    for (let next = 1; next <= 25; next += 1) {
      const saving = Promise.resolve(abandon(medium.open(), round(next)));
      const settled = saving.then(
        () => 'saved',
        () => 'refused',
      );
      for (let turns = chance.integer(0, 12); turns > 0; turns -= 1) await turn();
      await medium.crash?.();
      const seen = wholeRound(await medium.open().load('orders'));
      assert.ok(
        seen === least || seen === next,
        `After round ${least}, in the middle of ${next}: it answers round ${seen}.`,
      );
      // Without a crash it may end; a crash may have left it hanging for ever.
      const ended =
        medium.crash === undefined
          ? await within(SOON_MS, 'The save that nobody waited for', settled)
          : 'cut off';
      const found = wholeRound(await medium.open().load('orders'));
      if (ended === 'saved') assert.equal(found, next, 'A save resolved, and its positions are not there.');
      assert.ok(found >= seen && found <= next, `It answered round ${seen}, and then round ${found}.`);
      least = found;
      await medium.open().save('orders', round(least));
    }
  }),

  check('C2', 'never shows half a save to who loads meanwhile', async ({ open }) => {
    const writer = open();
    const reader = open();
    await writer.save('orders', round(0));
    let isSaving = true;
    const saving = (async () => {
      for (let next = 1; next <= 20; next += 1) await writer.save('orders', round(next));
    })().finally(() => {
      isSaving = false;
    });
    let last = 0;
    try {
      while (isSaving) {
        const seen = wholeRound(await reader.load('orders'));
        assert.ok(seen >= last, `It answered round ${last}, and then round ${seen}.`);
        last = seen;
        await turn();
      }
    } finally {
      await saving;
    }
  }),

  check('C3', 'shares nothing between names, however alike they are', async ({ open }) => {
    for (const name of ODD_NAMES) await open().save(name, lanes({ [name]: name }));
    for (const name of ODD_NAMES) await holds(open(), name, lanes({ [name]: name }));
  }),

  check('C3', 'shares nothing between names that are saved at the same time', async ({ open }) => {
    const store = open();
    const names = ODD_NAMES.slice(0, 20);
    for (let offset = 1; offset <= 3; offset += 1) {
      await Promise.all(names.map(async (name) => store.save(name, lanes({ [name]: offset }))));
      for (const name of names) await holds(store, name, lanes({ [name]: offset }));
    }
    await store.save('orders', new Map());
    await holds(store, 'Orders', lanes({ Orders: 3 }));
  }),

  check(
    'C3',
    'keeps names apart that a medium may not be able to hold, or refuses them',
    async ({ open }) => {
      const kept: string[] = [];
      for (const name of DOUBTFUL_NAMES) {
        const error = await failureOf(async () => open().save(name, lanes({ name })));
        if (error === undefined) kept.push(name);
        else checkTold(error);
      }
      for (const name of kept) await holds(open(), name, lanes({ name }));
    },
  ),

  check(
    'C4',
    'gives whoever takes a name over what was saved under it, and keeps what it saves',
    async (medium) => {
      await medium.open().save('orders', lanes({ a: 1 }));
      const run = await takeOver(medium);
      await holds(run, 'orders', lanes({ a: 1 }));
      for (const offset of [2, 3, 4]) await run.save('orders', lanes({ a: offset }));
      await holds(run, 'orders', lanes({ a: 4 }));
      await holds(medium.open(), 'orders', lanes({ a: 4 }));
    },
  ),

  check(
    'C4',
    'refuses every save of an earlier run, from then on, and changes nothing by it',
    async (medium) => {
      const [first, second, third] = [await takeOver(medium), await takeOver(medium), await takeOver(medium)];
      await third.save('orders', lanes({ a: 0 }));
      for (let next = 1; next <= 5; next += 1) {
        for (const run of [first, second]) await isFenced(medium, run, lanes({ a: next }));
        if (isFencing(medium)) await holds(medium.open(), 'orders', lanes({ a: next - 1 }));
        await third.save('orders', lanes({ a: next }));
      }
      await holds(medium.open(), 'orders', lanes({ a: 5 }));
    },
  ),

  check('C4', 'refuses a run that saved before it was taken over, and one that never did', async (medium) => {
    const never = await takeOver(medium);
    const before = await takeOver(medium);
    await before.save('orders', lanes({ a: 1 }));
    const now = await takeOver(medium);
    for (const run of [never, before]) await isFenced(medium, run, lanes({ a: -1 }));
    await now.save('orders', lanes({ a: 2 }));
    await holds(now, 'orders', lanes({ a: 2 }));
  }),

  check('C4', 'leaves other names alone', async (medium) => {
    const orders = await takeOver(medium);
    await takeOver(medium, 'Orders');
    await takeOver(medium, 'orders.1');
    await orders.save('orders', lanes({ a: 1 }));
    await holds(medium.open(), 'orders', lanes({ a: 1 }));
  }),

  check('C5', 'gives back every kind of plain data as it was', async ({ open }) => {
    const all = plainPositions();
    for (const [lane, position] of all) {
      await open().save(lane, new Map([[lane, position]]));
      await holds(open(), lane, new Map([[lane, position]]));
    }
    await open().save('all', all);
    await holds(open(), 'all', plainPositions());
  }),

  check('C5', 'gives back a megabyte, in many lanes and in one', async ({ open }) => {
    await open().save('orders', largePositions());
    await holds(open(), 'orders', largePositions());
  }),

  check('C5', 'gives back lanes of any name', async ({ open }) => {
    const positions = new Map(ODD_NAMES.concat('', '\0', '\ud800', '\ud801').map((name) => [name, { name }]));
    await open().save('orders', positions);
    await holds(open(), 'orders', positions);
  }),

  check(
    'C5',
    'keeps what is no plain data as it was, or refuses it by its lane and saves nothing',
    async (medium) => {
      for (const [what, position] of doubtfulPositions()) {
        const lane = `lane of ${what}`;
        const store = medium.open();
        await store.save(what, lanes({ before: 1 }));
        const given = new Map([
          ['good', 2],
          [lane, position],
        ] as [string, unknown][]);
        const error = await failureOf(async () => store.save(what, given));
        if (error === undefined) {
          await holds(medium.open(), what, given);
          continue;
        }
        checkTold(error);
        const { message } = error as Error;
        assert.ok(message.includes(lane), `It refuses ${what}, and does not name its lane: ${message}`);
        await holds(medium.open(), what, lanes({ before: 1 }));
      }
    },
  ),

  check('C6', 'is not changed by what becomes of a map that it answered', async (medium) => {
    const saved = lanes({ a: 1, b: 2 });
    await medium.open().save('orders', saved);
    for (const store of [medium.open(), await takeOver(medium)]) {
      const answer = (await store.load('orders')) as Map<string, unknown>;
      answer.set('a', -1);
      answer.delete('b');
      await holds(store, 'orders', saved);
      answer.clear();
      await holds(store, 'orders', saved);
      await holds(medium.open(), 'orders', saved);
    }
  }),

  check('C7', 'holds nothing open between two calls, or lets it be closed', async (medium) => {
    const leaks = new LeakCheck();
    leaks.begin();
    const stores: CheckpointStore[] = [];
    for (let offset = 1; offset <= 5; offset += 1) {
      const store = medium.open();
      await store.save('orders', lanes({ a: offset }));
      const run = await store.acquire?.('orders');
      await run?.save('orders', lanes({ a: offset }));
      await (run ?? store).load('orders');
      stores.push(...(run === undefined ? [store] : [run, store]));
    }
    for (const store of stores) await (store as { close?(): unknown }).close?.();
    await leaks.end();
  }),

  check('C8', 'tells a run that is fenced so, with no secret', async (medium, { secrets }) => {
    const run = await takeOver(medium);
    await takeOver(medium);
    const error = await failureOf(async () => run.save('orders', lanes({ a: 1 })));
    assert.equal(error !== undefined, isFencing(medium));
    if (error !== undefined) checkTold(error, secrets);
  }),

  {
    rule: 'C8',
    sentence: 'tells what it cannot reach, with a code and no secret',
    applies: (harness) => harness.openBroken !== undefined,
    run: async (harness) => {
      for (const call of CALLS) {
        const store = await harness.openBroken?.();
        assert.ok(store !== undefined);
        if (call === 'acquire' && store.acquire === undefined) continue;
        const failing = failureOf(async () =>
          call === 'save' ? store.save('orders', lanes({ a: 1 })) : store[call]?.('orders'),
        );
        const error = await within(SOON_MS, 'The failure', failing);
        assert.ok(error !== undefined, `Its ${call} cannot reach its medium, and says nothing.`);
        checkTold(error, harness.secrets);
      }
    },
  },
];

/** A check on a medium of its own. */
function check(rule: string, sentence: string, tried: Tried): Check<CheckpointHarness> {
  return {
    rule,
    sentence,
    run: async (harness) => {
      const medium = await harness.prepare();
      try {
        await tried(medium, harness);
      } finally {
        await medium.cleanUp?.();
      }
    },
  };
}

function lanes(positions: Readonly<Record<string, unknown>>): Positions {
  return new Map(Object.entries(positions));
}

async function holds(store: CheckpointStore, pipeline: string, expected: Positions): Promise<void> {
  const found = (await store.load(pipeline)) ?? new Map();
  assert.ok(found instanceof Map, 'What load answers is no map.');
  // Lane by lane, so that a difference is told by its lane and not by a megabyte of text.
  assert.deepEqual(new Set(found.keys()), new Set(expected.keys()));
  for (const [lane, position] of expected) {
    assert.deepEqual(found.get(lane), position, `In lane ${JSON.stringify(lane)} it answers something else.`);
  }
}

/** Whether its stores can be taken over. One that cannot tell fences nobody, and that too is C4. */
function isFencing(medium: CheckpointMedium): boolean {
  return medium.open().acquire !== undefined;
}

/** The store for one run: taken over, where that can be. */
async function takeOver(medium: CheckpointMedium, name = 'orders'): Promise<CheckpointStore> {
  const store = medium.open();
  return (await store.acquire?.(name)) ?? store;
}

/** The run is refused; or, where stores cannot be taken over, it is not. */
async function isFenced(medium: CheckpointMedium, run: CheckpointStore, positions: Positions): Promise<void> {
  const error = await failureOf(async () => run.save('orders', positions));
  const expected = isFencing(medium) ? 'SW_CHECKPOINT_FENCED' : undefined;
  assert.equal((error as { code?: unknown } | undefined)?.code, expected);
}

/** Lanes of which each says the same, and long enough that they do not go to a disk at once. */
function round(number: number): Positions {
  const text = 'x'.repeat(20_000);
  return lanes({ first: number, text: { number, text }, list: [number, number], last: number });
}

/** The number of the round. Throws where it is not whole. */
function wholeRound(positions: Positions | undefined): number {
  const number = positions?.get('first');
  assert.equal(typeof number, 'number', 'It answers nothing, or half a save.');
  assert.deepEqual(positions, round(number as number), 'It answers half a save.');
  return number as number;
}

/** Starts a save that nobody waits for. */
function abandon(store: CheckpointStore, positions: Positions): PromiseLike<unknown> {
  return (async () => store.save('orders', positions))();
}

async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error ?? new Error('It threw nothing.');
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
