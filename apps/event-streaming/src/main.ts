/** The app: `npx --yes pnpm@12 example event-streaming`. */

import { runApp } from '@streamweld/app-kit';
import { parseArguments, USAGE } from './arguments.ts';

await runApp({
  usage: USAGE,
  read: (args) => parseArguments(args),
  work: async (given, shutdown) => (await import('./work.ts')).work(given, shutdown),
  shutdown: () => ({
    stopping: 'Stopping: what has left is brought to every service and proved. Ctrl-C again aborts.',
  }),
});
