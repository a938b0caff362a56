/** What came back from S3, flight by flight, and whether it is what it must be. */

import type { RunReport } from '@streamweld/core';
import { type Check, equalFigures, type IndependentCount } from './checks.ts';
import type { Flight } from './flight.ts';
import { whole } from './numbers.ts';
import { RowLedger } from './row-ledger.ts';
import { AirportStatistics } from './statistics.ts';

export class Archived {
  readonly ledger = new RowLedger();
  readonly statistics = new AirportStatistics();
  /** The keys of the objects that were there. */
  readonly objects = new Set<string>();
  /** Flights that come after one that they should come before, over all objects. */
  outOfOrder = 0;
  #lastRow = -1;

  add(batch: readonly Flight[]): void {
    this.statistics.add(batch);
    for (const { row } of batch) {
      this.ledger.mark(row);
      if (row < this.#lastRow) this.outOfOrder += 1;
      this.#lastRow = row;
    }
  }
}

export function checkArchived(
  { report }: { readonly report: Pick<RunReport, 'read'> },
  { ledger, statistics, objects, outOfOrder }: Archived,
  expected: IndependentCount,
): Check[] {
  const { rows } = expected;
  const lost = ledger.lostOf(rows);
  const doubled = ledger.doubled + ledger.beyond(rows);
  const equal = equalFigures(expected, statistics.airports);
  const all = expected.airports.size;
  const of = 'broadcast';
  return [
    {
      of,
      holds: report.read === rows && statistics.flights === rows,
      text: `${whole(report.read)} in, ${whole(statistics.flights)} back from ${whole(objects.size)} ${objects.size === 1 ? 'object' : 'objects'} of S3`,
    },
    {
      of,
      holds: lost === 0 && doubled === 0 && outOfOrder === 0,
      text: `${whole(lost)} lost in S3, ${whole(doubled)} doubled, ${whole(outOfOrder)} out of order`,
    },
    {
      of,
      holds: equal === all && statistics.airports.size === all,
      text: `flights, late, delays equal in S3 at ${equal} of ${all} airports`,
    },
  ];
}
