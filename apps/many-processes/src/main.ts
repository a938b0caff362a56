/** The app: `npx --yes pnpm@12 example many-processes`. */

import { runApp } from '@streamweld/app-kit';
import { readArguments, USAGE } from './arguments.ts';

await runApp({
  usage: USAGE,
  read: (args) => readArguments(args, process.env),
  // Loaded now: an argument that cannot be meant is answered at once.
  work: async (given, shutdown) =>
    (await import('./run.ts')).run(given, shutdown, (line) => process.stdout.write(`${line}\n`)),
  shutdown: () => ({
    stopping: 'Stopping: what is in the topic is done, and proved. Ctrl-C again aborts.',
    aborted: 'Aborted by a second Ctrl-C: nothing is proved.',
  }),
});
