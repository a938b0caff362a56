/** One process of a simulated world, from its start to its end or its crash. */

import type { World } from './world.ts';

export class Process {
  readonly #world: World;
  readonly #incarnation: number;
  #releases: (() => void)[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#incarnation = world.incarnation;
  }

  get isDead(): boolean {
    return this.#world.incarnation !== this.#incarnation;
  }

  /** Goes on if it lives, and never otherwise. */
  alive(): Promise<void> {
    return this.isDead ? new Promise(() => {}) : Promise.resolve();
  }

  /** What hangs is let go when the calm comes. */
  onCalm(release: () => void): void {
    this.#releases.push(release);
  }

  calm(): void {
    const releases = this.#releases;
    this.#releases = [];
    for (const release of releases) release();
  }
}
