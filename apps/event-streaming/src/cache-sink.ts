/** The sink of the cache service: reads the states of the airports in a batch, moves them on, and puts them back. */

import type { Sink } from '@streamweld/core';
import { advance } from './airport-state.ts';
import { type Cache, CacheUnavailable } from './cache.ts';
import type { EnrichedDeparture } from './enrich.ts';
import type { Did } from './pipeline.ts';

/**
 * Two requests to the server for a batch, however many are in it. A write may be repeated, also where an answer was lost:
 * what is in a state already does not go into it again.
 */
export function cacheSink(cache: Cache, did: Did): Sink<EnrichedDeparture> {
  return {
    name: 'cache',
    concurrency: 1,
    batching: { maxItems: 500 },
    async write(batch) {
      const airports = [...new Set(batch.map(({ airport }) => airport))];
      const found = await cache.read(airports);
      const before = new Map(airports.map((airport, index) => [airport, found[index]]));
      const after = new Map(before);
      for (const departure of batch)
        after.set(departure.airport, advance(after.get(departure.airport), departure));
      const replacements = [...after].flatMap(([airport, state]) => {
        const old = before.get(airport);
        return state === undefined || state === old ? [] : [{ airport, after: old?.seq ?? 0, state }];
      });
      if (replacements.length > 0 && (await cache.replace(replacements)) < replacements.length) {
        throw new CacheUnavailable('Another process has written the same airports meanwhile.');
      }
      await did(batch);
    },
  };
}
