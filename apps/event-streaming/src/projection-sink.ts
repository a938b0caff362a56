/** The sink of the projection: a row for each departure, by its airport and number. */

import type { WriteContext } from '@streamweld/core';
import { PostgresSink } from '@streamweld/postgres';
import type { EnrichedDeparture } from './enrich.ts';
import type { Did } from './pipeline.ts';

export class ProjectionSink extends PostgresSink<EnrichedDeparture> {
  readonly #did: Did;

  constructor(connection: string, did: Did) {
    super({
      name: 'postgres',
      connection,
      table: 'departures',
      mode: 'upsert',
      key: ['airport', 'seq'],
      columns: {
        id: 'id',
        airport: 'airport',
        seq: 'seq',
        at: 'at',
        airport_name: 'airportName',
        destination: 'to',
        destination_city: 'toCity',
        delay: 'delay',
        miles: 'miles',
        is_late: 'isLate',
      },
      // Some more for a transaction, which costs the same for many as for one.
      batching: { maxItems: 2000, lingerMs: 50 },
    });
    this.#did = did;
  }

  override async write(batch: readonly EnrichedDeparture[], context: WriteContext): Promise<void> {
    await super.write(batch, context);
    await this.#did(batch);
  }
}
