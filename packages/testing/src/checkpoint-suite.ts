/** The rules of a checkpoint store, C1 to C8, as checks that any store can be put to. */

import type { Awaitable, CheckpointStore } from '@streamweld/core';
import { CHECKPOINT_CHECKS } from './checkpoint-checks.ts';
import { registerChecks, type Runner } from './suite.ts';

/** Where positions are kept: a folder, a database, a variable. */
export interface CheckpointMedium {
  /** Opens a store on it, as another run, or another process, would. */
  readonly open: () => CheckpointStore;
  /** Kills whoever is at work on it, as a power cut or a `kill -9` does; what was opened before is of no use any more. */
  crash?(): Awaitable<void>;
  /** Releases it. What the stores have open is theirs (C7). */
  cleanUp?(): Awaitable<void>;
}

/** What the author of a store writes. */
export interface CheckpointHarness {
  /** A medium with nothing on it: each check asks for its own. */
  prepare(): Awaitable<CheckpointMedium>;
  /** Opens a store that cannot reach its medium: a wrong password, a folder that is a file. Its calls fail, by C8. */
  openBroken?(): Awaitable<CheckpointStore>;
  /** Passwords and such in the options of its stores: none of them may be in an error. */
  readonly secrets?: readonly string[] | undefined;
}

/**
 * Holds a checkpoint store to its rules; each test begins with the number of one.
 *
 * @example
 * checkpointSuite({ describe, test }, 'MyStore', {
 *   async prepare() {
 *     const table = await makeTable();
 *     return { open: () => new MyStore(table), cleanUp: () => table.drop() };
 *   },
 * });
 */
export function checkpointSuite(runner: Runner, title: string, harness: CheckpointHarness): void {
  registerChecks(runner, `${title}, by the rules of a checkpoint store`, harness, CHECKPOINT_CHECKS);
}
