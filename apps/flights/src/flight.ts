/** One flight, as it moves through the demo. */

export interface Flight {
  /** Its place in the source, from 0: what the proof at the end holds on to. */
  readonly row: number;
  /** Local time at the airport of origin, to the minute: `2001-01-14T07:05`. It sorts as text, and it is not UTC. */
  readonly date: string;
  /** Minutes late at the destination; below zero is early. */
  readonly delay: number;
  /** Miles. */
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** The US Department of Transportation counts a flight as late from here on. */
export const LATE_MINUTES = 15;
