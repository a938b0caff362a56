/**
 * The tests of core that judge mutants of one folder, which `STREAMWELD_MUTATED` names: fast ones that answer the same
 * each time. Left out is what takes seconds, starts processes or measures memory; properties run less often, always on
 * the same seed, and do not shrink.
 */

import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The tests for each folder: its own first, since they tell soonest, then those of what is built on it. */
const JUDGES: Readonly<Record<string, readonly string[]>> = {
  channel: ['channel/*', 'task/*', 'flow/*', 'pipeline/*'],
  delivery: ['delivery/*', 'flow/*', 'pipeline/*', 'dispatch/exact*'],
  dispatch: ['dispatch/*'],
};

const TOO_SLOW: readonly string[] = [
  'dispatch/memory',
  'pipeline/fairness',
  'flow/flow-abandoned',
  'pipeline/heap',
  'pipeline/processes',
  // These count what their cases came to, so they cannot run less often.
  'dispatch/exactly-once',
  'pipeline/exactly-once',
  'pipeline/ways-out',
];

/** Single tests that take as long as all others of their file together: the beginnings of their names. */
const SLOW_TESTS: readonly string[] = [
  '[fault 3] [fault 4] holds in every interleaving',
  '[fault 6] parks a million senders',
  '[fault 6] cancels many waiters',
  'gathers more pieces than a call takes arguments',
  'spreads keys evenly',
];

const MOST_RUNS = 20;
const MOST_MS = 10_000;

const folder = process.env['STREAMWELD_MUTATED'] ?? 'dispatch';
const judges = JUDGES[folder];
if (judges === undefined) throw new Error(`No tests are named for the folder '${folder}'.`);
const packages = path.resolve(import.meta.dirname, '../../packages');

class NearestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = moduleId.slice(moduleId.indexOf('/test/') + '/test/'.length);
      return `${at.startsWith(`${folder}/`) ? 0 : 1}${/propert|model|tree/.test(at) ? 1 : 0}${at}`;
    };
    return files.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
  }
}

/** Runs properties less often, waits less long, and skips the slow tests. */
function hasten(code: string): string {
  return code
    .replace(/\bnumRuns(:| =) (\d+)/g, (_, sign: string, runs: string) => {
      return `numRuns${sign} ${Math.min(Number(runs), MOST_RUNS)}`;
    })
    .replace(/(timeout: |^\s*\}, )\d+_000\b/gm, `$1${MOST_MS}`)
    .replace(
      /\bit(\.each\(.*\))?(\(\s*'(.*)')/g,
      (found, each: string | undefined, call: string, name: string) =>
        SLOW_TESTS.some((slow) => name.startsWith(slow)) ? `it.skip${each ?? ''}${call}` : found,
    );
}

export default defineConfig({
  root: path.join(packages, 'core'),
  resolve: {
    // The sandbox is a copy whose node_modules lead out of it: these three must be the copy's own.
    alias: [
      { find: /^@streamweld\/core$/, replacement: path.join(packages, 'core/src/index.ts') },
      { find: /^@streamweld\/core\/connector$/, replacement: path.join(packages, 'core/src/connector.ts') },
      { find: /^@streamweld\/testing$/, replacement: path.join(packages, 'testing/src/index.ts') },
    ],
  },
  plugins: [
    {
      name: 'haste',
      enforce: 'pre',
      transform: (code, id) => (id.includes('/test/') ? hasten(code) : undefined),
    },
  ],
  test: {
    include: judges.map((glob) => `test/${glob}.test.ts`),
    exclude: TOO_SLOW.map((name) => `test/${name}.test.ts`),
    setupFiles: [path.join(import.meta.dirname, 'fixed-seed.ts')],
    sequence: { sequencer: NearestFirst },
    testTimeout: MOST_MS,
    isolate: false,
    maxWorkers: 1,
  },
});
