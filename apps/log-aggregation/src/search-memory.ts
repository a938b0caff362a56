/** An index in memory, by minisearch: it is gone when the app ends. */

import MiniSearch from 'minisearch';
import type { Entry } from './entry.ts';
import type { Found, Hit, SearchIndex } from './search.ts';
import { wordsIn } from './words.ts';

export class MemoryIndex implements SearchIndex {
  readonly name = 'search';
  readonly atomic = true;
  readonly concurrency = 1;
  readonly whereabouts = 'in memory, by minisearch';
  readonly #index = new MiniSearch<Entry>({
    fields: ['text'],
    storeFields: ['id', 'service', 'level', 'at', 'text'],
    tokenize: wordsIn,
    // They are in small letters already.
    processTerm: (word) => word,
  });

  write(batch: readonly Entry[]): void {
    // What is written again is there already.
    for (const entry of batch) if (!this.#index.has(entry.id)) this.#index.add(entry);
  }

  find(words: readonly string[], limit: number): Promise<Found> {
    if (words.length === 0) return Promise.resolve({ total: 0, hits: [] });
    const found = this.#index.search(words.join(' '), { combineWith: 'AND', prefix: false, fuzzy: false });
    const hits = (found as unknown as Hit[])
      .map(({ id, service, level, at, text }): Hit => ({ id, service, level, at, text }))
      .sort((one, other) => (other.at ?? 0) - (one.at ?? 0));
    return Promise.resolve({ total: hits.length, hits: hits.slice(0, limit) });
  }
}
