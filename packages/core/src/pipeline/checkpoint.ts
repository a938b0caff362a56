/** The checkpoint of a run: where its positions are kept beside the source, and where it resumes from. */

import type { CheckpointStore } from '../checkpoint.ts';
import { isThenable } from '../deferred.ts';
import type { LaneBook } from '../delivery/lane.ts';
import type { Persistence } from '../delivery/persistence.ts';
import { StreamWeldError, wrapError } from '../errors.ts';
import type { SourceStage } from '../flow/source-stage.ts';
import type { Awaitable } from '../source.ts';

export interface CheckpointPlan {
  readonly store: CheckpointStore;
  readonly name: string;
}

export class Checkpoint {
  readonly #plan: CheckpointPlan;
  readonly #books: readonly LaneBook[];
  readonly #persistence: Persistence;
  /** The store for this run alone, where it can tell runs apart. */
  #session: CheckpointStore;
  #saving: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(plan: CheckpointPlan, books: readonly LaneBook[], persistence: Persistence) {
    this.#plan = plan;
    this.#books = books;
    this.#persistence = persistence;
    this.#session = plan.store;
  }

  get name(): string {
    return this.#plan.name;
  }

  /** Takes the name over, and answers what was saved under it. @throws StreamWeldError SW_CHECKPOINT_FAILED */
  async load(): Promise<ReadonlyMap<string, unknown>> {
    const { store, name } = this.#plan;
    try {
      this.#session = (await store.acquire?.(name)) ?? store;
      const positions: unknown = await this.#session.load(name);
      if (positions === undefined || positions === null) return new Map<string, unknown>();
      if (isMap(positions)) return positions;
    } catch (error) {
      throw wrapError(
        'SW_CHECKPOINT_FAILED',
        name,
        `The checkpoint '${name}' could not be read; its store's error is the cause. Nothing was read or written.`,
        error,
      );
    }
    throw new StreamWeldError(
      'SW_CHECKPOINT_FAILED',
      `The store of the checkpoint '${name}' answered positions that are no Map. load(name) must answer a Map as save(name, positions) was given it, or undefined. Nothing was read or written.`,
      { stage: name },
    );
  }

  /** Saves where all lanes stand: one save at a time, and one more for all who ask while it is under way. */
  save(): Awaitable<void> {
    if (this.#saving === undefined) return this.#save();
    this.#next ??= this.#saving.then(
      () => this.#saveNext(),
      () => this.#saveNext(),
    );
    return this.#next;
  }

  #saveNext(): Awaitable<void> {
    this.#next = undefined;
    return this.#save();
  }

  #save(): Awaitable<void> {
    const { name } = this.#plan;
    const positions = new Map<string, unknown>();
    for (const book of this.#books) book.positions(positions);
    try {
      const answer = this.#persistence.try(() => this.#session.save(name, positions));
      if (!isThenable(answer)) return;
      this.#saving = this.#saved(answer);
    } catch (error) {
      throw this.#notSaved(error);
    }
    return this.#saving;
  }

  async #saved(answer: PromiseLike<void>): Promise<void> {
    try {
      await answer;
    } catch (error) {
      throw this.#notSaved(error);
    } finally {
      this.#saving = undefined;
    }
  }

  #notSaved(error: unknown): StreamWeldError {
    const { name } = this.#plan;
    return wrapError(
      'SW_COMMIT_FAILED',
      name,
      `The checkpoint '${name}' could not be saved; its store's error is the cause. Items since the last commit come again on the next run.`,
      error,
    );
  }
}

/** By its shape: it may come from another realm. */
function isMap(value: unknown): value is ReadonlyMap<string, unknown> {
  const { get, size } = value as { readonly get?: unknown; readonly size?: unknown };
  return typeof get === 'function' && typeof size === 'number' && Symbol.iterator in Object(value);
}

/**
 * Gives each source the positions of its lanes.
 * @throws StreamWeldError SW_CHECKPOINT_FAILED for positions that belong to no source.
 */
export function shareOut(
  positions: ReadonlyMap<string, unknown>,
  books: readonly LaneBook[],
  name: string,
): ReadonlyMap<string, unknown>[] {
  const shares = books.map(() => new Map<string, unknown>());
  for (const [label, position] of positions) {
    const at = books.findIndex((book) => label.startsWith(book.prefix));
    if (at < 0) {
      throw new StreamWeldError(
        'SW_CHECKPOINT_FAILED',
        `The checkpoint '${name}' holds a position of a source that this pipeline has not: '${label}'. A pipeline whose sources have changed needs a new name, or their old names.`,
        { stage: name },
      );
    }
    shares[at]?.set(label.slice(books[at]?.prefix.length), position);
  }
  return shares;
}

/**
 * Of several sources, lanes are `name/lane`, or `name#index/lane` among namesakes. So is one whose name begins another's
 * up to a slash: a label would not tell whose it is.
 */
export function labelLanes(sources: readonly SourceStage<unknown>[]): void {
  if (sources.length === 1) return;
  for (const [index, source] of sources.entries()) {
    const own = `${source.name}/`;
    const isNamesake = sources.some(
      (other) => other !== source && (`${other.name}/`.startsWith(own) || own.startsWith(`${other.name}/`)),
    );
    source.lanes.prefix = isNamesake ? `${source.name}#${index}/` : own;
  }
}
