/** What is in the files of the airports, read flight by flight. */

import type { Flight } from './flight.ts';
import { RowLedger } from './row-ledger.ts';

interface Airport {
  flights: number;
  lastRow: number;
  lastDate: string;
}

export class ReadBack {
  readonly ledger = new RowLedger();
  readonly airports = new Map<string, Airport>();
  flights = 0;
  /** Flights that come after one that they should come before. */
  outOfOrder = 0;
  /** Flights that stand in the file of another airport: the files are read one by one, so each airport comes once. */
  misplaced = 0;
  #origin = '';

  add(batch: readonly Flight[]): void {
    for (const { row, date, origin } of batch) {
      this.flights += 1;
      this.ledger.mark(row);
      const airport = this.airports.get(origin);
      if (airport === undefined) {
        this.airports.set(origin, { flights: 1, lastRow: row, lastDate: date });
      } else {
        if (origin !== this.#origin) this.misplaced += 1;
        if (row <= airport.lastRow || date < airport.lastDate) this.outOfOrder += 1;
        airport.flights += 1;
        airport.lastRow = row;
        airport.lastDate = date;
      }
      this.#origin = origin;
    }
  }
}
