/** The tests of a package with one defect planted, which `STREAMWELD_BREAK` names. */

import path from 'node:path';
import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';
import { BREAKS } from './breaks.ts';

const planted = BREAKS.find(({ name }) => name === process.env['STREAMWELD_BREAK']);
if (planted === undefined) throw new Error(`There is no break '${process.env['STREAMWELD_BREAK']}'.`);
const root = path.resolve(import.meta.dirname, '../../packages', planted.package ?? 'core');
const target = path.join(root, 'src', planted.file);

export default defineConfig({
  root,
  // As the tests themselves are run.
  ssr: {
    resolve: {
      conditions: ['@streamweld/source', ...defaultServerConditions.filter((each) => each !== 'module')],
      mainFields: [],
    },
  },
  plugins: [
    {
      name: 'planted-break',
      enforce: 'pre',
      transform: (code, id) =>
        id.split('?')[0] === target ? code.replace(planted.find, () => planted.replace) : undefined,
    },
  ],
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: planted.package === 'kafka' ? 60_000 : 20_000,
    reporters: ['json'],
  },
});
