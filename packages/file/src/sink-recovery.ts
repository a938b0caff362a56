/** What a sink that delivers exactly once finds of its last run: it cuts its files back to what the ledger says. */

import { isAbsolute, join, relative } from 'node:path';
import type { Format } from '@streamweld/formats';
import { errnoOf, FileError } from './errors.ts';
import { Limiter } from './limiter.ts';
import { LINE_END } from './sink-adopt.ts';
import { InPlace } from './sink-in-place.ts';
import type { FileState, Ledger } from './sink-ledger.ts';
import { Part } from './sink-part.ts';
import { numbered } from './sink-path.ts';
import type { Target } from './sink-target.ts';
import { statFile, syncFolders, type Workshop, writeFailure } from './sink-workshop.ts';

const FILES_AT_ONCE = 4;

export interface RecoveryOptions<T> {
  readonly ledger: Ledger;
  readonly shop: Workshop;
  readonly format: Format<unknown, T>;
  /** The folder to which the paths of the ledger are relative. */
  readonly folder: string;
  readonly isRolled: boolean;
  /** What is there without a ledger is written behind, not refused. */
  readonly isAppended: boolean;
}

export class Recovery<T> {
  readonly ledger: Ledger;
  readonly isAppended: boolean;
  readonly #options: RecoveryOptions<T>;

  constructor(options: RecoveryOptions<T>) {
    this.#options = options;
    this.ledger = options.ledger;
    this.isAppended = options.isAppended;
  }

  keyOf(target: Target<T>): string {
    const key = relative(this.#options.folder, target.path);
    return isAbsolute(key) ? target.path : key;
  }

  stateOf(target: Target<T>): FileState | undefined {
    return this.ledger.files.get(this.keyOf(target));
  }

  /** Goes on with a target where the ledger says it ended; says whether the ledger knows it. */
  resume(target: Target<T>): boolean {
    const state = this.stateOf(target);
    if (state === undefined) return false;
    const { shop, format, isRolled } = this.#options;
    target.sequence = isRolled ? state.sequence : undefined;
    if (state.length === undefined) return true;
    const path = isRolled ? numbered(target.path, state.sequence) : target.path;
    const { length, items, header, isOpen } = state;
    // One that was announced and not written may not be there.
    if (length === 0) return true;
    const body = new InPlace(path, shop, length);
    target.part = new Part(body, target.isZipped, format.encoder({ header }), { items, header });
    if (isOpen) target.part.opening = LINE_END;
    return true;
  }

  /** Before anything is written: all files become what the ledger says. */
  async recover(): Promise<void> {
    await new Limiter(FILES_AT_ONCE).forAll([...this.ledger.files], ([key, state]) =>
      this.#recover(isAbsolute(key) ? key : join(this.#options.folder, key), key, state),
    );
    // What was removed must be gone before the ledger forgets it.
    await syncFolders(this.#options.shop);
  }

  async #recover(path: string, key: string, state: FileState): Promise<void> {
    if (this.#options.isRolled) {
      for (let part = state.begun; part > state.sequence; part -= 1) await this.#remove(numbered(path, part));
      if (state.length !== undefined) await this.#cut(numbered(path, state.sequence), state.length);
      this.ledger.files.set(key, { ...state, begun: state.sequence });
      return;
    }
    await this.#cut(path, state.length ?? 0);
  }

  async #cut(path: string, length: number): Promise<void> {
    const { shop } = this.#options;
    const size = (await statFile(shop, path))?.size;
    if ((size ?? 0) < length) {
      throw new FileError(
        'SW_FILE_LEDGER_AHEAD',
        `${path} ${size === undefined ? 'is gone' : `has ${size} bytes`}, and the ledger ${this.ledger.path} says that ${length} were written to it. ` +
          'Nothing is guessed: put the file back as it was, or move the ledger and its files away and run from the beginning.',
        { stage: shop.stage, path },
      );
    }
    if (size === undefined || size === length) return;
    try {
      await shop.handles.use(path, (handle) => handle.truncate(length));
    } catch (error) {
      throw writeFailure(shop, error, path);
    }
  }

  async #remove(path: string): Promise<void> {
    const { shop } = this.#options;
    try {
      await shop.fs.unlink(path);
      shop.changedFolders.add(join(path, '..'));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw writeFailure(shop, error, path);
    }
  }
}
