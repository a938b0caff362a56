/**
 * A disk that needs time and can lose its power, and a checkpoint store on it that keeps the rules.
 *
 *     write ──► cache: what is read ── sync ──► plate: what is there after a crash
 *                 │                               ▲
 *                 └────────── rename: both at once ┘
 */

import { type CheckpointStore, MemoryCheckpointStore } from '@streamweld/core';
import type { CheckpointHarness } from '@streamweld/testing';

type Lanes = readonly (readonly [lane: string, position: unknown])[];

class Disk {
  readonly cache: Map<string, Lanes>;
  readonly plate: Map<string, Lanes>;
  /** Who may save under a name; it stays when the power goes. */
  readonly epochs: MemoryCheckpointStore;
  #hasPower = true;

  constructor(
    plate?: ReadonlyMap<string, Lanes>,
    epochs: MemoryCheckpointStore = new MemoryCheckpointStore(),
  ) {
    this.plate = new Map(plate);
    this.cache = new Map(plate);
    this.epochs = epochs;
  }

  /** A turn of the disk. It never comes once the power is gone. */
  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (!this.#hasPower) await new Promise(() => {});
  }

  async sync(file: string): Promise<void> {
    await this.turn();
    this.plate.set(file, this.cache.get(file) ?? []);
  }

  rename(from: string, to: string): void {
    for (const files of [this.cache, this.plate]) {
      files.set(to, files.get(from) ?? []);
      files.delete(from);
    }
  }

  /** The disk after a crash. Whoever was at work on this one does nothing to it. */
  crash(): Disk {
    this.#hasPower = false;
    return new Disk(this.plate, this.epochs);
  }
}

/** How a store brings lanes into the file of a name. */
export type Write = (disk: Disk, name: string, lanes: Lanes) => Promise<void>;

/** Beside it, and then in its place. */
export const replace: Write = async (disk, name, lanes) => {
  const temporary = `${name} (new)`;
  await disk.turn();
  disk.cache.set(temporary, lanes);
  await disk.sync(temporary);
  await disk.turn();
  disk.rename(temporary, name);
  await disk.turn();
};

class DiskStore implements CheckpointStore {
  readonly #disk: Disk;
  readonly #write: Write;
  readonly #fence: CheckpointStore;
  #last: Promise<void> = Promise.resolve();

  constructor(disk: Disk, write: Write, fence: CheckpointStore = disk.epochs) {
    this.#disk = disk;
    this.#write = write;
    this.#fence = fence;
  }

  async load(name: string): Promise<ReadonlyMap<string, unknown>> {
    await this.#disk.turn();
    return new Map(this.#disk.cache.get(name));
  }

  save(name: string, positions: ReadonlyMap<string, unknown>): Promise<void> {
    const lanes = [...positions];
    const saving = this.#last.then(async () => {
      await this.#fence.save(name, new Map());
      await this.#write(this.#disk, name, lanes);
    });
    this.#last = saving.catch(() => {});
    return saving;
  }

  acquire(name: string): CheckpointStore {
    return new DiskStore(this.#disk, this.#write, this.#disk.epochs.acquire(name));
  }
}

/** A harness that can crash, and one that cannot. */
export function diskHarness(write: Write, hasCrash: boolean = true): CheckpointHarness {
  return {
    prepare: () => {
      let disk = new Disk();
      const medium = { open: () => new DiskStore(disk, write) };
      if (!hasCrash) return medium;
      return {
        ...medium,
        crash: () => {
          disk = disk.crash();
        },
      };
    },
  };
}
