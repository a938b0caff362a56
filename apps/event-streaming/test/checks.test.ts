import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { checkDatabase, checkService, checkStates, checkTakeover } from '../src/checks.ts';
import { readDepartures } from '../src/departures.ts';
import { expected } from '../src/expected.ts';
import { Following } from '../src/following.ts';
import { Ledger } from '../src/ledger.ts';

const departures = readDepartures(400);
const wanted = expected(400);
const all = departures.map(({ id }) => id);
const [earlier = 0, later = 0] = departures.filter(({ airport }) => airport === 'LAS').map(({ id }) => id);

describe('checkService', () => {
  it('holds where all is done, also what is done again, by whomever', () => {
    const ledger = new Ledger(400);
    ledger.note('a', all.slice(0, 300), 1);
    ledger.note('b', all.slice(200), 2);
    expect(checkService('x', ledger, departures)).toMatchObject({
      holds: true,
      text: expect.stringMatching(/^400 of 400 departures, in order for .*; 100 came again$/) as unknown,
    });
  });

  it('does not hold where one is lost, or where two of an airport were changed about, in different processes too', () => {
    const lost = new Ledger(400);
    lost.note('a', all.slice(1), 1);
    expect(checkService('x', lost, departures).holds).toBe(false);
    const changed = new Ledger(400);
    changed.note('a', [later], 1);
    changed.note('b', all, 2);
    expect(checkService('x', changed, departures)).toMatchObject({ holds: false });
    expect(changed.outOfOrder(departures)).toEqual(new Set(['LAS']));
    // What counts is when it was done, not when that was told.
    const told = new Ledger(400);
    told.note('b', all.slice(later), 2);
    told.note('a', all.slice(0, later), 1);
    expect(told.outOfOrder(departures).size).toBe(0);
  });
});

describe('checkTakeover', () => {
  it('counts what was left of the airports of the killed one, and who did it', () => {
    const ledger = new Ledger(400);
    ledger.note('dead', [earlier], 1);
    ledger.note('b', [later], 2);
    const partly = checkTakeover('dead', ['b', 'c'], ledger, departures);
    expect(partly.holds).toBe(false);
    ledger.note('c', all, 3);
    const left = departures.filter(({ airport }) => airport === 'LAS').length - 1;
    expect(checkTakeover('dead', ['b', 'c'], ledger, departures)).toEqual({
      holds: true,
      of: 'takeover',
      text: `dead was killed behind 1 departures of 1 airports; ${left} of the ${left} that were left of these were done by others (b: 1, c: ${left})`,
    });
  });

  it('does not hold where nobody else did it', () => {
    const ledger = new Ledger(400);
    ledger.note('dead', [earlier], 1);
    ledger.note(
      'b',
      all.filter((id) => id !== later),
      2,
    );
    expect(checkTakeover('dead', ['b'], ledger, departures).holds).toBe(false);
  });
});

describe('checkDatabase', () => {
  const holds = (rows: typeof wanted.rows, outOfOrder = 0) =>
    checkDatabase(rows, outOfOrder, wanted).map((check) => check.holds);

  it('holds for the rows of the input alone', () => {
    expect(holds(wanted.rows)).toEqual([true, true, true]);
    const [first, ...rest] = wanted.rows as [(typeof wanted.rows)[number]];
    expect(holds(rest)).toEqual([false, false, true]);
    expect(holds([first, first, ...rest])).toEqual([false, false, true]);
    expect(holds([{ ...first, id: 400 }, first, ...rest])).toEqual([false, true, true]);
    expect(holds([{ ...first, delay: first.delay + 1 }, ...rest])).toEqual([true, false, true]);
    expect(holds(wanted.rows, 1)).toEqual([true, true, false]);
  });
});

describe('checkStates', () => {
  it('holds for the states of the input alone', () => {
    const { states } = wanted;
    const other = (change: (copy: Map<string, unknown>) => void) => {
      const copy = new Map(states);
      change(copy);
      return checkStates('cache', copy, wanted).holds;
    };
    expect(other(() => {})).toBe(true);
    expect(other((copy) => copy.delete('LAS'))).toBe(false);
    expect(other((copy) => copy.set('XXX', states.get('LAS')))).toBe(false);
    expect(other((copy) => copy.set('LAS', states.get('DTW')))).toBe(false);
    expect(checkStates('cache', undefined, wanted)).toMatchObject({
      holds: false,
      text: expect.stringContaining('it does not answer') as unknown,
    });
  });
});

describe('Following', () => {
  const isOver = async (following: Following) => {
    let over = false;
    void following.over.then(() => (over = true));
    await setImmediate();
    return over;
  };

  it('is over when each service has done what was sent, or is lost', async () => {
    const following = new Following(10);
    for (const role of ['enricher', 'projection', 'board'] as const) following.note(role, role, [0, 1, 2], 1);
    following.sent(3);
    expect(await isOver(following)).toBe(false);
    following.note('cache', 'cache', [0, 1], 1);
    expect(await isOver(following)).toBe(false);
    following.lose('cache');
    expect(await isOver(following)).toBe(true);
  });

  it('is over when nobody enriches any more', async () => {
    const following = new Following(10);
    following.sent(3);
    following.lose('enricher');
    expect(await isOver(following)).toBe(true);
  });
});
