/** What is counted of flights while they pass by. */

import { type Flight, LATE_MINUTES } from './flight.ts';

/** What is known of one airport: of the flights that left from it. */
export interface AirportFigures {
  flights: number;
  /** Flights that were 15 minutes late or more. */
  late: number;
  /** The sum of all delays, in minutes: early flights count below zero. */
  delay: number;
}

/** Running figures of each airport of departure. The order of flights does not matter to them. */
export class AirportStatistics {
  readonly airports = new Map<string, AirportFigures>();
  flights = 0;

  add(batch: readonly Flight[]): void {
    this.flights += batch.length;
    for (const { origin, delay } of batch) {
      let figures = this.airports.get(origin);
      if (figures === undefined) {
        figures = { flights: 0, late: 0, delay: 0 };
        this.airports.set(origin, figures);
      }
      figures.flights += 1;
      figures.delay += delay;
      if (delay >= LATE_MINUTES) figures.late += 1;
    }
  }
}

/**
 * The longest run of flights in a row, at each airport, that were on time. A run is only what it says if the flights of
 * an airport come in their order: one flight out of place breaks a run, or joins two.
 */
export class OnTimeRuns {
  readonly longest = new Map<string, number>();
  readonly #current = new Map<string, number>();

  add(batch: readonly Flight[]): void {
    for (const { origin, delay } of batch) {
      const run = delay < LATE_MINUTES ? (this.#current.get(origin) ?? 0) + 1 : 0;
      this.#current.set(origin, run);
      if (run >= (this.longest.get(origin) ?? 0)) this.longest.set(origin, run);
    }
  }
}

/** The airport with the largest share of late flights, among those with enough of them to say so. */
export function latestAirport(
  airports: ReadonlyMap<string, AirportFigures>,
  leastFlights: number,
): { airport: string; lateShare: number; averageDelay: number } | undefined {
  let latest: { airport: string; lateShare: number; averageDelay: number } | undefined;
  for (const [airport, { flights, late, delay }] of airports) {
    if (flights < leastFlights || late / flights <= (latest?.lateShare ?? 0)) continue;
    latest = { airport, lateShare: late / flights, averageDelay: delay / flights };
  }
  return latest;
}

/** The airport with the longest run; of equals the first by name, so that each run of the demo says the same. */
export function longestRun(
  runs: ReadonlyMap<string, number>,
): { airport: string; flights: number } | undefined {
  let longest: { airport: string; flights: number } | undefined;
  for (const [airport, flights] of [...runs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (flights > (longest?.flights ?? 0)) longest = { airport, flights };
  }
  return longest;
}
