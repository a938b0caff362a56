/** The app: `npx --yes pnpm@12 example log-processor`. */

import { runApp } from '@streamweld/app-kit';
import { parseArguments, USAGE } from './arguments.ts';

await runApp({
  usage: USAGE,
  read: parseArguments,
  work: async (given, shutdown) => {
    const { work } = await import('./work.ts');
    return work(given, shutdown);
  },
});
