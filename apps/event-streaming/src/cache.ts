/** The cache, as the app uses it: the latest state of each airport, replaced only by one that comes behind it. */

import type { AirportState } from './airport-state.ts';

/** A state that is to take the place of another. */
export interface Replacement {
  readonly airport: string;
  /** The `seq` of the state that it was made of; 0 for none. */
  readonly after: number;
  readonly state: AirportState;
}

export interface Cache {
  /** The states of these airports, in their order. @throws CacheUnavailable */
  read(airports: readonly string[]): Promise<(AirportState | undefined)[]>;
  /**
   * Puts states in, each where the one that it was made of still stands, all in one step.
   * @returns how many: fewer than were given, where somebody else wrote in between, or a lost answer is asked for again.
   * @throws CacheUnavailable
   */
  replace(replacements: readonly Replacement[]): Promise<number>;
  /** Every airport that is in it. */
  readAll(): Promise<ReadonlyMap<string, AirportState>>;
  /** Takes out all that the run has put in. */
  clear(): Promise<void>;
  close(): void;
}

/** How a process reaches it. A URL of Redis may hold a password: it is not to be shown. */
export type CacheAddress =
  | { readonly kind: 'redis'; readonly url: string; readonly run: string }
  | { readonly kind: 'http'; readonly url: string };

/** It does not answer, or says no. It may be back soon: a write is tried again. */
export class CacheUnavailable extends Error {
  readonly code = 'EVENTS_CACHE_UNAVAILABLE';
}

export async function openCache(address: CacheAddress): Promise<Cache> {
  if (address.kind === 'http') {
    const { HttpCache } = await import('./http-cache.ts');
    return new HttpCache(address.url);
  }
  const { RedisCache } = await import('./redis-cache.ts');
  return await RedisCache.open(address.url, address.run);
}
