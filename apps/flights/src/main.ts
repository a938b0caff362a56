/** The demo: `npx --yes pnpm@12 demo`. */

import { runApp } from '@streamweld/app-kit';
import { parseArguments, USAGE } from './arguments.ts';
import { Progress } from './progress.ts';

await runApp({
  usage: USAGE,
  read: (args) => {
    const given = parseArguments(args);
    // What a Ctrl-C is answered with stands among its lines.
    return { given, progress: new Progress(given.progress) };
  },
  // Loaded now: an argument that cannot be meant is answered at once.
  work: async ({ given, progress }, shutdown) => (await import('./play.ts')).play(given, progress, shutdown),
  shutdown: ({ progress }) => ({
    say: (line) => progress.say(line),
    stopping: 'Stopping: what is on its way is finished and reported. Ctrl-C again aborts.',
  }),
});
