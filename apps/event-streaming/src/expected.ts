/** What the input comes to, counted without StreamWeld and without what the services use: airport by airport. */

import { readFileSync } from 'node:fs';
import type { AirportState } from './airport-state.ts';
import type { ProjectedRow } from './database.ts';

export interface Expected {
  /** By `id`, the row that the projection should have. */
  readonly rows: readonly ProjectedRow[];
  readonly states: ReadonlyMap<string, AirportState>;
}

interface Flight {
  readonly date: string;
  readonly delay: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** @param count of departures, from the first one on. */
export function expected(count: number): Expected {
  const data = (name: string) =>
    readFileSync(new URL(`../data/${name}`, import.meta.resolve('vega-datasets')), 'utf8');
  const flights = (JSON.parse(data('flights-20k.json')) as Flight[]).slice(0, count);
  const lines = data('airports.csv').split('\n');
  const places = new Map<string, { name: string; city: string }>();
  for (const code of new Set(flights.flatMap(({ origin, destination }) => [origin, destination]))) {
    // The part behind the name is fixed: city, state, country, and two numbers.
    const line = lines.find((each) => each.startsWith(`${code},`)) ?? '';
    const [, name = '', city = '', state = ''] =
      /^...,(.*),([^,]*),([A-Z]{2}),[^,]*,[-.\d]+,[-.\d]+\s*$/.exec(line) ?? [];
    places.set(code, { name: name.replaceAll('"', ''), city: `${city}, ${state}` });
  }
  const rows: ProjectedRow[] = flights.map(({ date, delay, distance, origin, destination }, id) => ({
    id,
    airport: origin,
    seq: 0,
    at: `${date.slice(0, 4)}-${date.slice(5, 7)}-${date.slice(8, 10)}T${date.slice(11)}`,
    airport_name: places.get(origin)?.name ?? '',
    destination,
    destination_city: places.get(destination)?.city ?? '',
    delay,
    miles: distance,
    is_late: delay > 14,
  }));
  const byAirport = new Map<string, ProjectedRow[]>();
  for (const row of rows) byAirport.set(row.airport, [...(byAirport.get(row.airport) ?? []), row]);
  const states = new Map([...byAirport].map(([airport, own]) => [airport, stateOf(own)]));
  const numbered = [...byAirport.values()].flatMap((own) => own.map((row, at) => ({ ...row, seq: at + 1 })));
  return { rows: numbered.sort((a, b) => a.id - b.id), states };
}

/** @param rows of one airport, in order. */
function stateOf(rows: readonly ProjectedRow[]): AirportState {
  // Departures on time are letters, and late ones stand between: a run is a word.
  const runs = rows
    .map((row) => (row.is_late ? ' ' : 'x'))
    .join('')
    .split(' ');
  const { at, destination: to, delay } = rows.at(-1) as ProjectedRow;
  return {
    seq: rows.length,
    late: runs.length - 1,
    minutes: rows.reduce((sum, row) => sum + row.delay, 0),
    onTime: runs.at(-1)?.length ?? 0,
    longestOnTime: Math.max(...runs.map(({ length }) => length)),
    last: { at, to, delay },
  };
}
