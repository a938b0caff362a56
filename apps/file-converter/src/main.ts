/** The app: `npx --yes pnpm@12 example file-converter`. */

import { runApp } from '@streamweld/app-kit';
import { readArguments, USAGE } from './arguments.ts';

await runApp({
  usage: USAGE,
  read: readArguments,
  // Loaded now: an argument that cannot be meant is answered at once.
  work: async (given, shutdown) =>
    (await import('./work.ts')).work(given, shutdown, (line) => process.stdout.write(`${line}\n`)),
  shutdown: () => ({
    stopping: 'Stopping: files under way are finished, and no other is begun. Ctrl-C again gives them up.',
    aborted: 'Aborted by a second Ctrl-C: no output is there that was not finished.',
  }),
});
