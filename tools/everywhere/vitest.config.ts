/** The workspace's own tests, for a run of Vitest under a program of `platforms.ts`. */

import { mergeConfig } from 'vitest/config';
import workspace from '../../vitest.config.ts';

const here = import.meta.dirname;

export default mergeConfig(workspace, {
  test: { setupFiles: [`${here}/in-each-file.ts`], reporters: [`${here}/tally.ts`] },
});
