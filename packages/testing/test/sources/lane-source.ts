/** A source that keeps every rule, over lanes of an array: what the suite is tried on, whole and broken. */

import type { Positioned, Source, SourceContext } from '@streamweld/core';
import { onAbort, StreamWeldError } from '@streamweld/core/connector';
import type { SeededPlace, SourceHarness } from '@streamweld/testing';

/** Where to resume in a lane: before the item of that index. */
export interface LanePosition {
  readonly place: number;
  readonly at: number;
}

interface LanePlaceOptions {
  readonly lanes?: number;
  readonly isEndless?: boolean;
  readonly password?: string;
  /** What stands where an item should be. */
  readonly damaged?: string;
}

let places = 0;

/** Lanes of items, which remembers what was committed, and counts what was taken. */
class LanePlace {
  readonly id: number = ++places;
  readonly lanes: Map<string, string[]> = new Map();
  readonly committed: Map<string, LanePosition> = new Map();
  readonly isEndless: boolean;
  readonly password: string | undefined;
  readonly damaged: string | undefined;
  readonly onGrown: Set<() => void> = new Set();
  /** Held by a source until it is closed: for one that is broken. */
  isLocked = false;
  taken = 0;

  constructor(count: number, { lanes = 3, isEndless = false, password, damaged }: LanePlaceOptions = {}) {
    this.isEndless = isEndless;
    this.password = password;
    this.damaged = damaged;
    for (let lane = 0; lane < lanes; lane += 1) this.lanes.set(`lane-${lane}`, []);
    this.grow(count);
  }

  get items(): string[] {
    return [...this.lanes.values()].flat();
  }

  grow(count: number): string[] {
    const lanes = [...this.lanes];
    const before = this.items.length;
    const grown = Array.from({ length: count }, (_, index) => {
      const [name, items] = lanes[index % lanes.length] as [string, string[]];
      const item = `item ${before + index} of ${name}, told apart from all others`;
      items.push(item);
      return item;
    });
    for (const wake of this.onGrown) wake();
    return grown;
  }
}

class LaneSource implements Source<string, LanePosition> {
  readonly name = 'lanes';
  readonly #place: LanePlace;
  readonly #password: string | undefined;
  readonly #at = new Map<string, number>();
  #turn = 0;
  #isStopped = false;
  #wake: () => void = () => {};
  #unlisten: () => void = () => {};

  constructor(place: LanePlace, password?: string) {
    this.#place = place;
    this.#password = password;
  }

  async open({ positions, signal }: SourceContext<LanePosition>): Promise<void> {
    await turn();
    if (this.#place.password !== this.#password) {
      throw new StreamWeldError(
        'LANES_ACCESS_DENIED',
        'The place refused the password. Check the option password.',
      );
    }
    const from = positions.size > 0 ? positions : this.#place.committed;
    for (const [lane, position] of from) this.#at.set(lane, this.#checked(lane, position));
    this.#unlisten = onAbort(signal, () => this.stop());
    this.#place.onGrown.add(this.#grown);
  }

  async pull(demand: number): Promise<Positioned<string, LanePosition> | undefined> {
    await turn();
    const place = this.#place;
    const lanes = [...place.lanes];
    while (!this.#isStopped) {
      for (let tried = 0; tried < lanes.length; tried += 1) {
        const [lane, all] = lanes[this.#turn++ % lanes.length] as [string, string[]];
        const at = this.#at.get(lane) ?? 0;
        if (at === all.length) continue;
        if (place.damaged !== undefined && at >= 1) {
          throw new StreamWeldError(
            'LANES_ITEM_DAMAGED',
            `Item ${at} of ${lane} is damaged. Write it again.`,
          );
        }
        const items = all.slice(at, at + (place.damaged === undefined ? Math.min(demand, 300) : 1));
        place.taken += items.length;
        this.#at.set(lane, at + items.length);
        return { items, position: { place: place.id, at: at + items.length }, lane };
      }
      if (!place.isEndless) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return undefined;
  }

  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  commit(positions: ReadonlyMap<string, LanePosition>): void {
    for (const [lane, position] of positions) this.#place.committed.set(lane, position);
  }

  comparePositions(a: LanePosition, b: LanePosition): number {
    return a.at - b.at;
  }

  close(): void {
    this.stop();
    this.#unlisten();
    this.#place.onGrown.delete(this.#grown);
  }

  readonly #grown = (): void => this.#wake();

  #checked(lane: string, position: unknown): number {
    const { place, at } = (position ?? {}) as Partial<LanePosition>;
    const end = this.#place.lanes.get(lane)?.length ?? -1;
    if (place === this.#place.id && Number.isInteger(at) && (at as number) >= 0 && (at as number) <= end) {
      return at as number;
    }
    throw new StreamWeldError(
      'LANES_POSITION_INVALID',
      `The position of ${lane} is none of this place. Forget it to begin at the beginning.`,
    );
  }
}

export type LaneHarness = SourceHarness<string, LanePosition>;

interface LaneSeeded extends SeededPlace<string, LanePosition> {
  readonly place: LanePlace;
}

/** Makes another source of one: a defect. */
export type Broken = (source: Source<string, LanePosition>, place: LanePlace) => Source<string, LanePosition>;

export interface LaneHarnessOptions extends Pick<LanePlaceOptions, 'lanes' | 'isEndless'> {
  readonly deadlineMs?: number;
  readonly largeCount?: number;
}

/** All that a harness can have. */
export function laneHarness(
  options: LaneHarnessOptions = {},
  broken: Broken = (source) => source,
): LaneHarness {
  const { deadlineMs, largeCount, ...placing } = options;
  const seeded = (place: LanePlace, password?: string): LaneSeeded => ({
    place,
    items: place.items,
    create: () => broken(new LaneSource(place, password), place),
  });
  const placeOf = (place: SeededPlace<string, LanePosition>): LanePlace => (place as LaneSeeded).place;
  return {
    deadlineMs,
    largeCount,
    seed: (count) => seeded(new LanePlace(count, placing)),
    absurdPositions: (lane, place) => [
      { place: placeOf(place).id, at: (placeOf(place).lanes.get(lane)?.length ?? 0) + 1 },
      { place: placeOf(place).id, at: -1 },
      { place: placeOf(place).id - 1, at: 1 },
    ],
    createDenied: (place, secret) => broken(new LaneSource(placeOf(place), secret), placeOf(place)),
    seedDamaged: (secret) =>
      seeded(new LanePlace(30, { ...placing, damaged: secret, password: secret }), secret),
    countTaken: (place) => placeOf(place).taken,
    ...(options.isEndless === true
      ? { grow: (place: SeededPlace<string, LanePosition>, count: number) => placeOf(place).grow(count) }
      : undefined),
  };
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
