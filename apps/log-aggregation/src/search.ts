/** The index that can be queried: what both kinds of it can do. */

import type { Sink } from '@streamweld/core';
import type { Entry } from './entry.ts';

export type Hit = Pick<Entry, 'id' | 'service' | 'level' | 'at' | 'text'>;

export interface Found {
  /** How many entries there are in all. */
  readonly total: number;
  /** The newest first. */
  readonly hits: readonly Hit[];
}

export interface SearchIndex extends Sink<Entry> {
  /** Where the entries are, for people. */
  readonly whereabouts: string;
  /** Entries that hold all of the words; none, where there are no words. @param limit the most that are answered */
  find(words: readonly string[], limit: number): Promise<Found>;
}
