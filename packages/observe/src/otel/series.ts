/**
 * The numbers of all that is watched, added up by name: pipelines run once, and one that runs every hour is made anew each
 * time, under the same name. So what ended ones counted is kept, and a counter never falls; of anything else 0 is left.
 */

import type { Attributes } from '@opentelemetry/api';
import type { Observed, Reading } from './readings.ts';

/** What only grows. */
const COUNTERS: readonly Observed[] = ['items', 'retries', 'deadLetters'];

/** As many as an SDK tells apart; of more those are forgotten that ended first. */
const MOST = 2000;

interface Line {
  readonly metric: Observed;
  readonly attributes: Attributes;
  /** Of those that ended. */
  kept: number;
  /** Of those that ended and those that run. */
  now: number;
  isLive: boolean;
}

export class Series {
  readonly #lines = new Map<string, Line>();

  /** @param sign -1 takes back what was kept of one that runs on. */
  keep(readings: readonly Reading[], sign: 1 | -1 = 1): void {
    for (const reading of readings) {
      const line = this.#lineOf(reading);
      if (COUNTERS.includes(reading.metric)) line.kept += sign * reading.value;
    }
    this.#forget();
  }

  /** @param readings of all that run */
  *total(readings: Iterable<Reading>): Generator<Reading> {
    for (const line of this.#lines.values()) {
      line.now = line.kept;
      line.isLive = false;
    }
    for (const reading of readings) {
      const line = this.#lineOf(reading);
      line.now += reading.value;
      line.isLive = true;
    }
    this.#forget();
    for (const { metric, now: value, attributes } of this.#lines.values())
      yield { metric, value, attributes };
  }

  #lineOf({ metric, attributes }: Reading): Line {
    const key = JSON.stringify([metric, attributes]);
    let line = this.#lines.get(key);
    if (line === undefined)
      this.#lines.set(key, (line = { metric, attributes, kept: 0, now: 0, isLive: false }));
    return line;
  }

  #forget(): void {
    for (const [key, { isLive }] of this.#lines) {
      if (this.#lines.size <= MOST) return;
      if (!isLive) this.#lines.delete(key);
    }
  }
}
