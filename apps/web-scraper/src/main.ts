/** The app: `npx --yes pnpm@12 example web-scraper`. */

import { runApp } from '@streamweld/app-kit';
import { readArguments, USAGE } from './arguments.ts';

await runApp({
  usage: USAGE,
  read: readArguments,
  // Loaded now: an argument that cannot be meant is answered at once.
  work: async (given, shutdown) => (await import('./work.ts')).work(given, shutdown),
  shutdown: () => ({
    stopping:
      'Stopping: what was requested is finished, and nothing else is requested. Ctrl-C again gives up.',
    aborted: 'Aborted by a second Ctrl-C: pages.ndjson is as it was before.',
  }),
});
