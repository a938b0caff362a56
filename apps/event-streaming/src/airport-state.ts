/** The latest state of an airport: what its departures, one after the other, come to. */

import type { EnrichedDeparture } from './enrich.ts';

export interface AirportState {
  /** Of the last departure that is in it, and so how many there are. */
  readonly seq: number;
  readonly late: number;
  /** Minutes, all together; early ones count against late ones. */
  readonly minutes: number;
  /** Departures in a row that were on time, up to now and at best: wrong as soon as two change places. */
  readonly onTime: number;
  readonly longestOnTime: number;
  readonly last: { readonly at: string; readonly to: string; readonly delay: number };
}

/** What does not come behind the state: one of the two was lost, or they were changed about. */
export class MissingDeparture extends Error {
  readonly code = 'EVENTS_STATE_GAP';
  /** To try again brings no more. */
  readonly retryable = false;

  constructor(airport: string, seq: number, expected: number) {
    super(
      `Departure ${seq} of ${airport} came where ${expected} was expected: the state that was kept is not that of what came before. Run again.`,
    );
  }
}

/**
 * The state with one more departure in it. One that it has already, as it comes again when a process was killed, changes
 * nothing: then it is the same object.
 * @throws MissingDeparture
 */
export function advance(state: AirportState | undefined, departure: EnrichedDeparture): AirportState {
  const { airport, seq, at, to, delay, isLate } = departure;
  const before = state?.seq ?? 0;
  if (state !== undefined && seq <= before) return state;
  if (seq !== before + 1) throw new MissingDeparture(airport, seq, before + 1);
  const onTime = isLate ? 0 : (state?.onTime ?? 0) + 1;
  return {
    seq,
    late: (state?.late ?? 0) + (isLate ? 1 : 0),
    minutes: (state?.minutes ?? 0) + delay,
    onTime,
    longestOnTime: Math.max(onTime, state?.longestOnTime ?? 0),
    last: { at, to, delay },
  };
}
