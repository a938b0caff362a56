/** The app: `npx --yes pnpm@12 example log-aggregation`. */

import { runApp } from '@streamweld/app-kit';
import { parseArguments, USAGE } from './arguments.ts';

await runApp({
  usage: USAGE,
  read: parseArguments,
  // Loaded when it is needed: a question, and an argument that cannot be meant, are answered at once.
  async work(given, shutdown) {
    if (given.command === 'query') return (await import('./query.ts')).query(given);
    return (await import('./aggregate.ts')).aggregate(given, shutdown);
  },
  shutdown: () => ({
    stopping: 'Stopping: what was read comes to its end, and is reported. Ctrl-C again aborts.',
  }),
});
