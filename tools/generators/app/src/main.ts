/** The app: `npx --yes pnpm@12 example template-name`. */

import { runApp } from '@streamweld/app-kit';
import { readArguments, USAGE } from './arguments.ts';

await runApp({
  usage: USAGE,
  read: readArguments,
  // Loaded now: an argument that cannot be meant is answered at once.
  work: async (given, shutdown) =>
    (await import('./work.ts')).work(given, shutdown, (line) => process.stdout.write(`${line}\n`)),
});
