/**
 * Driving a source by its contract, as a run would, with a deadline on whatever it is waited for.
 *
 *     seed ─► [ leak check: open ─ pull … ─ close, as often as the check likes ] ─► clean up
 */

import assert from 'node:assert/strict';
import type { Awaitable, Source, SourceContext } from '@streamweld/core';
import { isThenable } from '@streamweld/core/connector';
import { type LeakCheck, withLeakCheck } from './leak-check.ts';
import { storedPositions } from './source-positions.ts';
import { Random } from './random.ts';
import { type Answer, assertLanes, byLane, keyOf, type Lanes } from './source-comparison.ts';
import type { AnySeededPlace, AnySourceHarness } from './source-harness.ts';
import { within } from './suite.ts';

const DEADLINE_MS = 5000;
const COUNT = 30;
/** The demand of a pull that wants all there is. */
export const PLENTY = 1000;
/** How often in a row a source may say that it is done up to here, and answer no item. */
const MAX_EMPTY = 1000;
/** How many items too many are taken from a source before it is given up. */
const EXTRA = 200;

export type Positions = ReadonlyMap<string, unknown>;

const NOWHERE: Positions = new Map();

/** One place, the sources of it, and what they are waited for. */
export class SourceBench {
  readonly harness: AnySourceHarness;
  readonly place: AnySeededPlace;
  readonly leaks: LeakCheck;
  readonly random: Random = new Random(1);
  /** All that has to come, grown items included. */
  readonly expected: string[];
  readonly #readings: Reading[] = [];

  constructor(harness: AnySourceHarness, place: AnySeededPlace, leaks: LeakCheck) {
    this.harness = harness;
    this.place = place;
    this.leaks = leaks;
    this.expected = place.items.map(keyOf);
  }

  get deadlineMs(): number {
    return this.harness.deadlineMs ?? DEADLINE_MS;
  }

  get isEndless(): boolean {
    return this.harness.grow !== undefined;
  }

  /** A source that is to be driven by hand: a new one, unless one is given. */
  reading(source: Source<unknown, unknown> = this.place.create()): Reading {
    const reading = new Reading(this, source);
    this.#readings.push(reading);
    return reading;
  }

  async grow(count: number): Promise<void> {
    assert(this.harness.grow !== undefined);
    const items = await this.soon('growing the place', this.harness.grow(this.place, count));
    this.expected.push(...items.map(keyOf));
  }

  /** A whole run, closed: all that it answered. */
  async readAll(demand: number | (() => number), positions?: Positions, due?: number): Promise<Answer[]> {
    const reading = this.reading();
    await reading.open(positions);
    await reading.readAll(demand, due ?? this.expected.length);
    await reading.close();
    return reading.answers;
  }

  /** Resumes at these positions, as a store gives them back, and looks that exactly this comes, in the order of the lanes. */
  async resume(positions: Positions, due: Lanes, when: string): Promise<void> {
    const count = [...due.values()].reduce((sum, keys) => sum + keys.length, 0);
    const answers = await this.readAll(this.anyDemand, storedPositions(positions), count);
    assertLanes(byLane(answers), due, when);
  }

  readonly anyDemand = (): number => this.random.integer(1, 7);

  /** Within the deadline. */
  async soon<T>(what: string, answer: Awaitable<T>): Promise<T> {
    return isThenable(answer) ? within(this.deadlineMs, what, answer) : answer;
  }

  /** Closes whatever a check left open: on purpose, or because it failed. */
  async end(): Promise<void> {
    for (const reading of this.#readings) {
      if (!reading.isClosed) await reading.close(new Error('The check is over.')).catch(() => {});
    }
  }
}

/** One source, as a run sees it. */
export class Reading {
  readonly source: Source<unknown, unknown>;
  readonly answers: Answer[] = [];
  /** Where it stands in each lane. */
  readonly positions: Map<string, unknown> = new Map();
  readonly controller: AbortController;
  isClosed = false;
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;
  #onFail: ((error: unknown) => void) | undefined;
  readonly #bench: SourceBench;

  constructor(bench: SourceBench, source: Source<unknown, unknown>) {
    this.#bench = bench;
    this.source = source;
    this.controller = bench.leaks.controller();
  }

  /** How many items it has answered. */
  get count(): number {
    return this.answers.reduce((sum, { keys }) => sum + keys.length, 0);
  }

  async open(positions: Positions = NOWHERE): Promise<void> {
    const context: SourceContext = {
      positions,
      signal: this.controller.signal,
      // Whatever it handed out is taken as written.
      settled: () => Promise.resolve(),
      endLane: () => {},
      fail: (error) => {
        this.#failure ??= { error };
        this.#onFail?.(error);
      },
    };
    await this.#wait('open', this.source.open?.(context));
  }

  /** One pull. What it answers is held to S3; nothing is the end. */
  async pull(demand: number): Promise<Answer | undefined> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const raw = this.source.pull(demand);
    const answer = await this.#wait(`the answer to pull(${demand})`, raw);
    if (answer === undefined) {
      this.#isOver = true;
      return undefined;
    }
    const positioned = Array.isArray(answer) ? undefined : (answer as { items: readonly unknown[] });
    const items = positioned === undefined ? (answer as readonly unknown[]) : positioned.items;
    assert(Array.isArray(items), `pull(${demand}) answered neither an array nor { items, position }.`);
    assert(items.length <= demand, `pull(${demand}) answered ${items.length} items.`);
    if (positioned === undefined) assert(items.length > 0, `pull(${demand}) answered an empty array.`);
    const { position, lane } = (positioned ?? {}) as { position?: unknown; lane?: string | undefined };
    const { harness } = this.#bench;
    const kept: Answer = {
      keys: items.map((item) => keyOf(harness.essenceOf === undefined ? item : harness.essenceOf(item))),
      items,
      lane: lane ?? '',
      position,
      hasPosition: positioned !== undefined,
    };
    this.answers.push(kept);
    if (kept.hasPosition) this.positions.set(kept.lane, position);
    return kept;
  }

  /** Pulls until so many items have come. */
  async read(count: number, demand: number | (() => number) = PLENTY): Promise<void> {
    let left = count;
    for (let empty = 0; left > 0; ) {
      const wanted = Math.min(typeof demand === 'number' ? demand : demand(), left);
      const answer = await this.pull(wanted);
      assert(answer !== undefined, `It came to its end ${left} of ${count} items early.`);
      left -= answer.keys.length;
      empty = answer.keys.length === 0 ? empty + 1 : 0;
      assert(empty < MAX_EMPTY, `It answered no item ${empty} times in a row.`);
    }
  }

  /**
   * Pulls to the end, at which so many items are due; a source without one is stopped when they have come, with a pull
   * outstanding, so that it can tell if there are more.
   */
  async readAll(demand: number | (() => number), due: number): Promise<void> {
    const next = (): number => (typeof demand === 'number' ? demand : demand());
    if (this.#bench.isEndless) {
      while (this.count < due) await this.#step(next(), due);
      const outstanding = this.pull(next());
      await turns();
      await this.stop();
      for (let answer = await outstanding; answer !== undefined; answer = await this.pull(next())) {
        this.#checkCount(due);
      }
      return;
    }
    while (await this.#step(next(), due));
  }

  async #step(demand: number, due: number): Promise<boolean> {
    const answer = await this.pull(demand);
    assert(
      answer !== undefined || !this.#bench.isEndless,
      'It came to an end, and its harness can grow its place.',
    );
    this.#checkCount(due);
    return answer !== undefined;
  }

  #checkCount(due: number): void {
    const { count } = this;
    // Some more are taken, so that it can be said which.
    assert(
      count <= due + EXTRA,
      `It answers more than there is: ${count} items by now, and ${due} were due.`,
    );
    let empty = 0;
    for (let at = this.answers.length - 1; this.answers[at]?.keys.length === 0; at -= 1) empty += 1;
    assert(empty < MAX_EMPTY, `It answered no item ${empty} times in a row.`);
  }

  async stop(): Promise<void> {
    await this.#wait('stop', this.source.stop?.());
  }

  async commit(positions: Positions): Promise<void> {
    await this.#wait('commit', this.source.commit?.(storedPositions(positions)));
  }

  abort(): void {
    this.controller.abort(new Error('The run was aborted.'));
  }

  async close(reason?: unknown): Promise<void> {
    this.isClosed = true;
    await this.#wait('close', this.source.close?.(reason));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A failure that the source tells by itself ends the wait. */
  async #wait<T>(what: string, answer: Awaitable<T>): Promise<T> {
    if (!isThenable(answer)) return answer;
    const wait = new Promise<T>((resolve, reject) => {
      this.#onFail = reject;
      answer.then(resolve, reject);
    });
    try {
      return await within(this.#bench.deadlineMs, what, wait);
    } finally {
      this.#onFail = undefined;
    }
  }
}

/** Seeds a place, puts it to the body, and looks that nothing is left. */
export async function atBench(
  harness: AnySourceHarness,
  seeded: number | ((harness: AnySourceHarness) => Awaitable<AnySeededPlace>) | undefined,
  body: (bench: SourceBench) => Promise<void>,
): Promise<void> {
  const place = await (typeof seeded === 'function'
    ? seeded(harness)
    : harness.seed(seeded ?? harness.count ?? COUNT));
  try {
    await withLeakCheck(
      async (leaks) => {
        const bench = new SourceBench(harness, place, leaks);
        try {
          await body(bench);
        } finally {
          await bench.end();
        }
      },
      { deadlineMs: Math.min(1000, harness.deadlineMs ?? DEADLINE_MS) },
    );
  } finally {
    await place.cleanUp?.();
  }
}

/** Some turns of the event loop: what is there by itself has come. */
export async function turns(count: number = 5): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** As long as it takes to read ahead, for whoever does. */
export async function aWhile(ms: number = 150): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until) await turns();
}
