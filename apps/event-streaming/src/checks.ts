/** What must hold at the end, put to the test: plain functions of what was expected and what was found. */

import { isDeepStrictEqual } from 'node:util';
import type { AirportState } from './airport-state.ts';
import type { ProjectedRow } from './database.ts';
import type { Departure } from './departures.ts';
import type { Expected } from './expected.ts';
import type { Ledger } from './ledger.ts';
import { whole } from '@streamweld/app-kit/numbers';

/** One thing that must hold, and whether it does. */
export interface Check {
  readonly holds: boolean;
  /** The part of the app that it is about. */
  readonly of: string;
  readonly text: string;
}

/** Of each service: nothing is missing, and each airport's departures were first done in their order. */
export function checkService(of: string, ledger: Ledger, departures: readonly Departure[]): Check {
  const wrong = ledger.outOfOrder(departures).size;
  const airports = new Set(departures.map(({ airport }) => airport)).size;
  return {
    of,
    holds: ledger.done === departures.length && wrong === 0,
    text: `${whole(ledger.done)} of ${whole(departures.length)} departures, in order for ${airports - wrong} of ${airports} airports; ${whole(ledger.again)} came again`,
  };
}

/**
 * What was left of the killed process's share, the airports that it had so far, is done by others of its service.
 * @param killed its name, and those of the others.
 */
export function checkTakeover(
  killed: string,
  others: readonly string[],
  ledger: Ledger,
  departures: readonly Departure[],
): Check {
  const done = ledger.doneBy(killed);
  const airports = new Set([...done].map((id) => departures[id]?.airport));
  const left = departures.filter(({ id, airport }) => airports.has(airport) && !done.has(id));
  const shares = others.map((name) => [name, ledger.doneBy(name)] as const);
  const taken = left.filter(({ id }) => shares.some(([, ids]) => ids.has(id))).length;
  const by = shares
    .map(([name, ids]) => `${name}: ${whole(left.filter(({ id }) => ids.has(id)).length)}`)
    .join(', ');
  return {
    of: 'takeover',
    holds: taken === left.length,
    text: `${killed} was killed behind ${whole(done.size)} departures of ${airports.size} airports; ${whole(taken)} of the ${whole(left.length)} that were left of these were done by others (${by})`,
  };
}

export function checkDatabase(rows: readonly ProjectedRow[], outOfOrder: number, wanted: Expected): Check[] {
  const times = new Map<number, number>();
  for (const { id } of rows) times.set(id, (times.get(id) ?? 0) + 1);
  const once = wanted.rows.filter(({ id }) => times.get(id) === 1).length;
  const twice = rows.length - times.size;
  const strange = [...times.keys()].filter((id) => wanted.rows[id] === undefined).length;
  const equal = rows.filter((row) => isDeepStrictEqual({ ...row }, wanted.rows[row.id])).length;
  const { size: airports } = wanted.states;
  return [
    {
      of: 'database',
      holds: once === wanted.rows.length && twice === 0 && strange === 0,
      text: `${whole(once)} of ${whole(wanted.rows.length)} departures are there once, ${whole(twice)} twice, ${whole(strange)} that nobody sent`,
    },
    {
      of: 'database',
      holds: equal === wanted.rows.length,
      text: `${whole(equal)} of ${whole(wanted.rows.length)} rows equal the input and the table of airports, field by field`,
    },
    {
      of: 'database',
      holds: outOfOrder === 0,
      text: `rows came in order for ${airports - outOfOrder} of ${airports} airports, by SQL`,
    },
  ];
}

/** @param states undefined: they cannot be read any more. */
export function checkStates(
  of: string,
  states: ReadonlyMap<string, AirportState> | undefined,
  wanted: Expected,
): Check {
  const found = states ?? new Map<string, AirportState>();
  const equal = [...wanted.states].filter(([airport, state]) =>
    isDeepStrictEqual(found.get(airport), state),
  ).length;
  return {
    of,
    holds: equal === wanted.states.size && found.size === wanted.states.size,
    text: `${equal} of ${wanted.states.size} airports have the state that the input comes to, and there is no other${states === undefined ? ': it does not answer' : ''}`,
  };
}
