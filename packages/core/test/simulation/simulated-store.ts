/** A checkpoint store that outlives crashes, fails as stores do, and sees that no position goes too far. */

import type { CheckpointStore } from '../../src/checkpoint.ts';
import type { FeedState, Model } from './model.ts';
import type { Process } from './process.ts';
import { never } from './simulated-source.ts';
import { someError } from './world.ts';

export class SimulatedStore implements CheckpointStore {
  readonly #model: Model;
  readonly #feed: FeedState;
  readonly #process: Process;
  readonly #rate: number;
  #isSaving = false;

  constructor(model: Model, feed: FeedState, process: Process, rate: number) {
    this.#model = model;
    this.#feed = feed;
    this.#process = process;
    this.#rate = rate;
  }

  async load(): Promise<ReadonlyMap<string, unknown>> {
    const { world } = this.#model;
    await this.#process.alive();
    if (world.strikes('store load', this.#rate / 4)) throw someError(world, 'unset');
    return new Map(this.#feed.saved);
  }

  async save(_name: string, positions: ReadonlyMap<string, unknown>): Promise<void> {
    const { world } = this.#model;
    await this.#process.alive();
    world.note(() => `store save ${JSON.stringify([...positions])}`);
    world.check(!this.#model.isExact, 'a store is written where the sink keeps the positions');
    world.check(!this.#isSaving || this.#feed.sources.length > 1, 'two saves at once');
    this.#isSaving = true;
    try {
      await world.sleep(world.random.integer(0, 2));
      if (this.#process.isDead) return await never();
      if (world.strikes('store save', this.#rate)) throw someError(world, 'unset');
      for (const [label, position] of positions) {
        const found = this.#model.find(this.#feed, label);
        if (found === undefined) {
          world.break(`the store is given a lane that there is not: ${label}`);
          continue;
        }
        const before = this.#feed.saved.get(label) ?? 0;
        world.check(
          (position as number) >= before,
          `store: ${label} goes back from ${before} to ${String(position)}`,
        );
        this.#model.checkPosition(found.source, found.lane, position as number, 'store');
        this.#feed.saved.set(label, position as number);
      }
      if (world.strikes('store save, after it was done', this.#rate / 2)) throw someError(world, 'unset');
      await world.sleep(world.random.integer(0, 1));
      if (this.#process.isDead) return await never();
    } finally {
      this.#isSaving = false;
    }
  }
}
