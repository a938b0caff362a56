/** Who did what and when, as the processes tell it. */

import type { Departure } from './departures.ts';

interface Entry {
  /** By a clock that all processes of the machine share. */
  readonly at: number;
  readonly ids: readonly number[];
}

/** What the processes of one service have done, which share all there is. */
export class Ledger {
  readonly #entries = new Map<string, Entry[]>();
  readonly #times: Uint8Array;
  #done = 0;
  #again = 0;

  /** @param size how many departures there may be; they are numbered from 0. */
  constructor(size: number) {
    this.#times = new Uint8Array(size);
  }

  /** Different departures that are done. */
  get done(): number {
    return this.#done;
  }

  /** How many were done once more: each time counts. */
  get again(): number {
    return this.#again;
  }

  /** @param process by its name */
  note(process: string, ids: readonly number[], at: number): void {
    const entries = this.#entries.get(process);
    if (entries === undefined) this.#entries.set(process, [{ ids, at }]);
    else entries.push({ ids, at });
    for (const id of ids) {
      const times = this.#times[id] as number;
      if (times === 0) this.#done += 1;
      else this.#again += 1;
      this.#times[id] = Math.min(255, times + 1);
    }
  }

  /** What one of the processes has done. */
  doneBy(process: string): ReadonlySet<number> {
    return new Set((this.#entries.get(process) ?? []).flatMap(({ ids }) => ids));
  }

  /** How often in all, what was done again included. */
  countOf(process: string): number {
    return (this.#entries.get(process) ?? []).reduce((sum, { ids }) => sum + ids.length, 0);
  }

  /**
   * The airports of which a departure was first done after a later one, by whichever process. What is done once more is
   * looked past.
   */
  outOfOrder(departures: readonly Departure[]): ReadonlySet<string> {
    const entries = [...this.#entries.values()].flat().toSorted((a, b) => a.at - b.at);
    const last = new Map<string, number>();
    const seen = new Set<number>();
    const wrong = new Set<string>();
    for (const { ids } of entries) {
      for (const id of ids) {
        if (seen.has(id)) continue;
        seen.add(id);
        const { airport } = departures[id] as Departure;
        if (id < (last.get(airport) ?? -1)) wrong.add(airport);
        else last.set(airport, id);
      }
    }
    return wrong;
  }
}
