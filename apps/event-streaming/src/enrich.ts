/** What the enrichers add to a departure: what the later services need and the event does not say. */

import type { Airport, Departure } from './departures.ts';

export interface EnrichedDeparture extends Departure {
  readonly airportName: string;
  /** Where it landed: `Chicago, IL`. */
  readonly toCity: string;
  readonly isLate: boolean;
}

/** The US Department of Transportation counts a flight as late from here on. */
const LATE_MINUTES = 15;

/** @returns what makes of a departure an enriched one. */
export function enricher(
  airports: ReadonlyMap<string, Airport>,
): (departure: Departure) => EnrichedDeparture {
  return (departure) => {
    const from = airports.get(departure.airport);
    const to = airports.get(departure.to);
    return {
      ...departure,
      airportName: from?.name ?? departure.airport,
      toCity: to === undefined ? departure.to : `${to.city}, ${to.state}`,
      isLate: departure.delay >= LATE_MINUTES,
    };
  };
}
