/** Mutates files of one folder of core and judges each mutant by that folder's tests. */

import { tmpdir } from 'node:os';
import path from 'node:path';
import { Stryker } from '@stryker-mutator/core';

type Options = ConstructorParameters<typeof Stryker>[0];
export type Results = Awaited<ReturnType<Stryker['runMutationTest']>>;

const workspace = path.resolve(import.meta.dirname, '../..');
const kept = path.join(workspace, 'node_modules/.cache/mutation');

export const FOLDERS = ['channel', 'delivery', 'dispatch'] as const;

/** @param mutate their paths from the root of the workspace. */
export async function mutateFiles(folder: string, mutate: readonly string[]): Promise<Results> {
  // Read by vitest.config.ts, in processes of its own.
  process.env['STREAMWELD_MUTATED'] = folder;
  return await new Stryker(optionsFor(folder, mutate)).runMutationTest();
}

function optionsFor(folder: string, mutate: readonly string[]): Options {
  return {
    mutate: [...mutate],
    concurrency: 2,
    testRunner: 'vitest',
    vitest: { configFile: 'tools/mutation/vitest.config.ts', related: false },
    plugins: ['@stryker-mutator/vitest-runner', './tools/mutation/message-text.mjs'],
    // No mutator is left out as a whole: only the wording of messages is, which decides nothing.
    ignorers: ['message-text'],
    coverageAnalysis: 'perTest',
    // What runs once, when its module is loaded, would need all tests anew for each mutant: a handful of constants.
    ignoreStatic: true,
    // A mutant whose code and tests did not change keeps its result.
    incremental: true,
    incrementalFile: path.join(kept, `${folder}.json`),
    reporters: ['progress-append-only'],
    // A copy outside of the workspace, so that nothing that watches, formats or tests the workspace sees mutants.
    inPlace: false,
    tempDirName: path.join(tmpdir(), 'streamweld-mutation'),
    ignorePatterns: [
      '*',
      '!package.json',
      '!packages/{core,testing}/package.json',
      '!packages/{core,testing}/src/**',
      '!packages/core/test/**',
      '!tools/mutation/**',
    ],
    // Nothing is compiled by TypeScript: whether a mutant has the right types does not matter.
    disableTypeChecks: false,
    // A mutant that waits for ever is stopped by the tests' own time limit; this one stops those that loop.
    timeoutMS: 20_000,
    timeoutFactor: 1.5,
    thresholds: { high: 95, low: 90, break: null },
    warnings: { unknownOptions: true, preprocessorErrors: true, unserializableOptions: true, slow: false },
  };
}
