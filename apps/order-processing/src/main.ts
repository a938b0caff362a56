/** The app: `npx --yes pnpm@12 example order-processing`. */

import { runApp } from '@streamweld/app-kit';
import { parseArguments, USAGE } from './arguments.ts';

await runApp({
  usage: USAGE,
  read: parseArguments,
  // Loaded now: an argument that cannot be meant is answered at once.
  work: async (given, shutdown) => (await import('./work.ts')).work(given, shutdown),
  shutdown: () => ({
    stopping: 'Stopping: what is on its way is finished and reported. Ctrl-C again aborts.',
  }),
});
