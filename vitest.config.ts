import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

const here = import.meta.dirname;

/** Of `pnpm test:small-heap`. Only what the configuration says reaches the processes that run tests; a flag does not. */
const heapMb = process.env['STREAMWELD_HEAP_MB'];

/** `pnpm test:deep` plays all that CI plays a part of. */
const isDeep = process.env['STREAMWELD_DEEP'] !== undefined;

/** What only that plays: three quarters of the simulated worlds. */
const deepOnly = isDeep ? [] : ['test/simulation/storm-{2,3,4}.test.ts'];

/** Tests of these share nothing but what they import: a process imports it once for all their files. */
const sharesImports = new Set(['core', 'testing', 'file', 'kafka', 's3']);

/** A folder that has tests is a project, named for its folder: `vitest run --project core`. */
const folders = ['packages', 'apps']
  .flatMap((group) =>
    readdirSync(`${here}/${group}`).map((name) => ({ name, root: `${here}/${group}/${name}` })),
  )
  .concat({ name: 'tools', root: `${here}/tools` }, { name: 'app-kit', root: `${here}/tools/app-kit` })
  .filter(({ root }) => existsSync(`${root}/test`));

/** Tests of Kafka that are run once more with its other client: of CI, or of `pnpm test:kafka:platformatic`. */
const withPlatformatic =
  process.env['STREAMWELD_KAFKA_PLATFORMATIC'] === 'all'
    ? ['**/*']
    : ['conformance-sink', 'source', 'transactions'];

export default defineConfig({
  // Packages of the workspace run from their source, so that no test needs a build. Others are what Node itself would take:
  // what 'module' names is for bundlers, and may be nothing that Node can load.
  ssr: {
    resolve: {
      conditions: ['@streamweld/source', ...defaultServerConditions.filter((each) => each !== 'module')],
      mainFields: [],
    },
  },
  test: {
    // Many tests wait for servers, and for time to pass: of two cores Vitest would use one.
    maxWorkers: Math.max(3, availableParallelism()),
    // A net for what hangs, not a measure: machines that run this are busy.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', `${here}/tools/closing-line.ts`],
    // Child processes and workers that tests start resolve as the tests do; memory tests collect first.
    execArgv: [
      '--conditions=@streamweld/source',
      '--expose-gc',
      ...(heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`]),
    ],
    projects: [
      ...folders.map(({ name, root }) => ({
        extends: true as const,
        root,
        test: {
          name,
          include: ['test/**/*.test.ts'],
          exclude: deepOnly,
          isolate: !sharesImports.has(name),
        },
      })),
      {
        extends: true,
        root: `${here}/packages/kafka`,
        test: {
          name: 'kafka-platformatic',
          setupFiles: [`${here}/packages/kafka/test/with-platformatic.ts`],
          include: withPlatformatic.map((file) => `test/${file}.test.ts`),
        },
      },
    ],
  },
});
