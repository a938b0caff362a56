/** Looks at what is there at the end, and puts it to the test against the input. */

import type { AirportState } from './airport-state.ts';
import type { Row } from './board.ts';
import { type Check, checkDatabase, checkService, checkStates, checkTakeover } from './checks.ts';
import type { Cache } from './cache.ts';
import type { Service } from './crew.ts';
import type { Database } from './database.ts';
import type { Departure } from './departures.ts';
import { expected } from './expected.ts';
import type { Following } from './following.ts';
import { ROLES } from './roles.ts';

export interface Found {
  /** What was sent, from the first on. */
  readonly sent: readonly Departure[];
  readonly services: readonly Service[];
  readonly killed: Service | undefined;
  readonly following: Following;
  readonly database: Database;
  readonly cache: Cache;
  /** Of the page, as it says. */
  readonly boardUrl: string;
}

export async function prove(found: Found): Promise<Check[]> {
  const { sent, services, killed, following, database, cache, boardUrl } = found;
  const wanted = expected(sent.length);
  const { ledgers } = following;
  const orNone = (): undefined => undefined;
  const others = services.filter((each) => each.role === killed?.role && each !== killed);
  return [
    ...ROLES.map((role) => checkService(role, ledgers[role], sent)),
    ...(killed === undefined
      ? []
      : [
          checkTakeover(
            killed.name,
            others.map(({ name }) => name),
            ledgers[killed.role],
            sent,
          ),
        ]),
    ...checkDatabase(await database.rows(), await database.airportsOutOfOrder(), wanted),
    checkStates('cache', await cache.readAll().catch(orNone), wanted),
    checkStates('board', await boardStates(boardUrl).catch(orNone), wanted),
  ];
}

/** As a page would be told. */
async function boardStates(url: string): Promise<ReadonlyMap<string, AirportState>> {
  const rows = (await (await fetch(new URL('/states', url))).json()) as Row[];
  return new Map(rows.map(([airport, , state]) => [airport, state]));
}
