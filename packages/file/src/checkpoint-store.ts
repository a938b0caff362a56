/** FileCheckpointStore: where runs keep their positions, as files in a folder. */

import {
  type CheckpointStore,
  checkCount,
  checkOptions,
  checkText,
  OptionError,
  StreamWeldError,
} from '@streamweld/core/connector';
import { encodePositions, type Positions } from './checkpoint-content.ts';
import { type CheckpointFolder, type Found, Versions } from './checkpoint-versions.ts';
import type { FileSystem } from './client.ts';
import { checkClient } from './options.ts';

export interface FileCheckpointStoreOptions {
  /** Permissions of its files. Default `0o600`: a position may be a key of somebody's data. */
  readonly mode?: number | undefined;
  /** The file layer: `node:fs/promises`, or an object like it. */
  readonly client?: FileSystem | undefined;
}

/**
 * Keeps checkpoints as files in a folder: one for each pipeline, replaced whole, and durable when a save resolves.
 *
 * A run that takes a name over fences every earlier one, also in another process. Positions may hold what JSON would
 * lose: bigints, dates, maps, sets, bytes, `undefined`, NaN.
 *
 *     const store = new FileCheckpointStore('checkpoints');
 *     await new ConcurrentPipeline(source, sink).checkpoint(store, 'orders').run();
 */
export class FileCheckpointStore implements CheckpointStore {
  readonly #folder: CheckpointFolder;
  /** The saves that belong to no run, one after the other for each name. */
  readonly #saves = new Map<string, Promise<void>>();

  constructor(folder: string, options?: FileCheckpointStoreOptions) {
    const path = checkText('folder', folder);
    const given = checkOptions('FileCheckpointStore options', options, ['mode', 'client']);
    const { mode = 0o600 } = given;
    if (checkCount('mode', mode, 0) > 0o777)
      throw new OptionError('mode', 'permissions from 0 to 0o777', mode);
    this.#folder = {
      path,
      fs: checkClient(given.client),
      mode,
      stage: `checkpoints in ${path}`,
      isMade: false,
      broken: undefined,
    };
  }

  /** @throws FileError SW_FILE_CHECKPOINT_DAMAGED, SW_FILE_CHECKPOINT_NEWER, or what the file system said. */
  async load(pipeline: string): Promise<ReadonlyMap<string, unknown> | undefined> {
    return (await this.#versions(pipeline).find()).positions;
  }

  /** Whoever saves last wins; a run that had acquired the name finds itself fenced. */
  save(pipeline: string, positions: ReadonlyMap<string, unknown>): Promise<void> {
    const saving = this.#saveAfter(this.#saves.get(pipeline), pipeline, positions);
    const settled = saving
      .catch(() => {})
      .then(() => {
        if (this.#saves.get(pipeline) === settled) this.#saves.delete(pipeline);
      });
    this.#saves.set(pipeline, settled);
    return saving;
  }

  /** Takes the name over: saves through what was acquired before reject with SW_CHECKPOINT_FENCED. */
  async acquire(pipeline: string): Promise<CheckpointStore> {
    const versions = this.#versions(pipeline);
    const present = await put(versions, ({ positions }) => encodePositions(positions ?? new Map()));
    await versions.sweep();
    return new Tenure(pipeline, versions, present, this.#folder.stage);
  }

  async #saveAfter(before: Promise<void> | undefined, pipeline: string, positions: Positions): Promise<void> {
    const versions = this.#versions(pipeline);
    const text = encodePositions(positions);
    await before;
    await put(versions, () => text);
  }

  #versions(pipeline: string): Versions {
    return new Versions(this.#folder, checkText('pipeline', pipeline));
  }
}

/** The checkpoint of one pipeline while one run has it. */
class Tenure implements CheckpointStore {
  readonly #pipeline: string;
  readonly #versions: Versions;
  readonly #stage: string;
  /** The version that is ours and counts, behind older ones that are still there. */
  #present: readonly number[];
  #saving: Promise<void> = Promise.resolve();
  #isFenced = false;

  constructor(pipeline: string, versions: Versions, present: readonly number[], stage: string) {
    this.#pipeline = pipeline;
    this.#versions = versions;
    this.#present = present;
    this.#stage = stage;
  }

  async load(pipeline: string): Promise<ReadonlyMap<string, unknown> | undefined> {
    this.#checkName(pipeline);
    return (await this.#versions.find()).positions;
  }

  async save(pipeline: string, positions: ReadonlyMap<string, unknown>): Promise<void> {
    this.#checkName(pipeline);
    const text = encodePositions(positions);
    const saving = this.#saving.then(() => this.#saveNext(text));
    this.#saving = saving.catch(() => {});
    return saving;
  }

  async #saveNext(text: string): Promise<void> {
    const last = this.#present.at(-1) ?? 0;
    if (this.#isFenced || !(await this.#versions.add(last, text))) {
      this.#isFenced = true;
      throw new StreamWeldError(
        'SW_CHECKPOINT_FENCED',
        `Another run has taken over the checkpoint of ${JSON.stringify(this.#pipeline)}. Let only one run at a time use a name.`,
        { stage: this.#stage },
      );
    }
    const stay = await this.#versions.remove(this.#present.slice(0, -1));
    this.#present = [...stay, last, last + 1];
  }

  #checkName(pipeline: string): void {
    if (pipeline === this.#pipeline) return;
    throw new OptionError(
      'pipeline',
      `the name that was acquired, ${JSON.stringify(this.#pipeline)}`,
      pipeline,
    );
  }
}

/** Adds a version whatever others do at the same time. Answers all there are then. */
async function put(versions: Versions, textOf: (found: Found) => string): Promise<readonly number[]> {
  for (;;) {
    const found = await versions.find();
    const last = found.versions.at(-1);
    if (!(await versions.add(last ?? 0, textOf(found)))) continue;
    if (last === undefined) return [1];
    return [...(await versions.remove(found.versions.slice(0, -1))), last, last + 1];
  }
}
