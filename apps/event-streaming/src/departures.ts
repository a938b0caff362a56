/** The stream of events: real departures, in the order of their time, and the airports that they name. */

import { readFileSync } from 'node:fs';

/** A flight has left its airport: what goes into the first topic. */
export interface Departure {
  /** Its place in the input, from 0. */
  readonly id: number;
  /** The airport that it left, and the key of the event. Events of one airport are in order, whatever happens. */
  readonly airport: string;
  /** Its number among the departures of its airport, from 1: by it, whoever gets an event twice can tell. */
  readonly seq: number;
  /** Local time there, to the minute: `2001-01-14T07:05`. */
  readonly at: string;
  readonly to: string;
  /** Minutes late where it landed; below zero is early. */
  readonly delay: number;
  /** To where it landed. */
  readonly miles: number;
}

export interface Airport {
  readonly name: string;
  readonly city: string;
  readonly state: string;
}

interface Row {
  readonly date: string;
  readonly delay: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** How many there are. */
export const MOST_DEPARTURES = 20_000;

/** The package exports its main module alone, so the way to its data leads from there. */
function dataFile(name: string): URL {
  return new URL(`../data/${name}`, import.meta.resolve('vega-datasets'));
}

/** @param count the first so many. */
export function readDepartures(count: number): Departure[] {
  const rows = JSON.parse(readFileSync(dataFile('flights-20k.json'), 'utf8')) as Row[];
  const last = new Map<string, number>();
  return rows.slice(0, count).map(({ date, delay, distance, origin, destination }, id) => {
    const seq = (last.get(origin) ?? 0) + 1;
    last.set(origin, seq);
    const at = date.replaceAll('/', '-').replace(' ', 'T');
    return { id, airport: origin, seq, at, to: destination, delay, miles: distance };
  });
}

/** All airports of the United States, by their three letters. */
export function readAirports(): ReadonlyMap<string, Airport> {
  const [, ...lines] = readFileSync(dataFile('airports.csv'), 'utf8').split('\n');
  return new Map(
    lines.map((line) => {
      const [iata = '', name = '', city = '', state = ''] = fieldsOf(line);
      return [iata, { name, city, state }];
    }),
  );
}

/** A field with a comma in it stands in quotes; none has a quote in it. */
function fieldsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"([^"]*)"|([^,"]*))/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? '',
  );
}
