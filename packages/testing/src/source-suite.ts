/** sourceSuite: what every source owes, as tests. */

import { ENDING_CHECKS } from './source-checks-ending.ts';
import { ERROR_CHECKS } from './source-checks-errors.ts';
import { MEMORY_CHECKS } from './source-checks-memory.ts';
import { POSITION_CHECKS } from './source-checks-positions.ts';
import { PULLING_CHECKS } from './source-checks-pulling.ts';
import { RUN_CHECKS } from './source-checks-runs.ts';
import type { AnySourceHarness, SourceHarness } from './source-harness.ts';
import { type Check, registerChecks, type Runner } from './suite.ts';

/** The checks of a source, one list: to be registered as tests, or to be put to a source that is broken on purpose. */
export const SOURCE_CHECKS: readonly Check<AnySourceHarness>[] = [
  ...PULLING_CHECKS,
  ...POSITION_CHECKS,
  ...ENDING_CHECKS,
  ...MEMORY_CHECKS,
  ...ERROR_CHECKS,
  ...RUN_CHECKS,
];

/**
 * Registers the tests of a source: each rule that a source has to keep, numbered as in docs/contracts.md. Rules that a
 * harness has no method for, and those of positions where there are none, are left out.
 *
 * Each test has a place of its own, looks afterwards that nothing is left of the source, and fails by itself where
 * something that has to come soon does not. It needs no other runner than the one it is given: Vitest, Jest, node:test.
 *
 * @example
 * import { mkdtemp, rm, writeFile } from 'node:fs/promises';
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { sourceSuite } from '@streamweld/testing';
 * import { describe, test } from 'vitest';
 * import { NoteSource } from '../src/source.ts';
 *
 * sourceSuite({ describe, test }, 'NoteSource', {
 *   seed: async (count) => {
 *     const folder = await mkdtemp(join(tmpdir(), 'notes-'));
 *     const items = Array.from({ length: count }, (_, index) => `a note as no other is: ${index}`);
 *     await writeFile(join(folder, 'notes.txt'), items.map((item) => `${item}\n`).join(''));
 *     return {
 *       items,
 *       create: () => new NoteSource(join(folder, 'notes.txt')),
 *       cleanUp: () => rm(folder, { recursive: true }),
 *     };
 *   },
 *   // It has positions, which are numbers of bytes. These it cannot have given.
 *   absurdPositions: () => [-1, 0.5, Number.MAX_SAFE_INTEGER],
 * });
 */
export function sourceSuite<T, P>(runner: Runner, title: string, harness: SourceHarness<T, P>): void {
  registerChecks(runner, title, harness as AnySourceHarness, SOURCE_CHECKS);
}
