/** The comparison: `npx --yes pnpm@12 example concurrency-vs-dispatch`. */

import { runApp } from '@streamweld/app-kit';
import { readArguments, USAGE } from './arguments.ts';
import { Voice } from './voice.ts';

const voice = new Voice();

await runApp({
  usage: USAGE,
  read: readArguments,
  // Loaded now: an argument that cannot be meant is answered at once.
  work: async (given, shutdown) => (await import('./work.ts')).work(given, shutdown, voice),
  shutdown: () => ({
    say: (line) => voice.say(line),
    stopping: 'Stopping: what is on its way is delivered and proved. Ctrl-C again ends it.',
    aborted: 'Ended by a second Ctrl-C: nothing more is delivered, and nothing is proved.',
  }),
});
