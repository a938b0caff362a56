/** The app: `npx --yes pnpm@12 example order-processing`. */

import { ArgumentError, parseArguments, USAGE } from './arguments.ts';
import { knownOf } from './refusals.ts';
import { Interrupted, Stop } from './stop.ts';

const EXIT = { wrong: 1, usage: 2, interrupted: 130 } as const;

async function main(args: readonly string[]): Promise<number> {
  const given = parseArguments(args);
  if (given.command === 'help') {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  // Loaded now: an argument that cannot be meant is answered at once.
  const { work } = await import('./work.ts');
  const stop = new Stop((line) => process.stderr.write(`${line}\n`));
  const isProved = await work(given, stop).catch((error: unknown) => {
    // What an abort makes fail on its way out is not what happened.
    stop.signal.throwIfAborted();
    throw error;
  });
  stop.signal.throwIfAborted();
  return isProved ? 0 : EXIT.wrong;
}

function failed(error: unknown): number {
  if (error instanceof ArgumentError) {
    process.stderr.write(`${error.message}\n\n${USAGE}\n`);
    return EXIT.usage;
  }
  if (error instanceof Interrupted) {
    process.stderr.write(`${error.message}\n`);
    return EXIT.interrupted;
  }
  const known = knownOf(error);
  if (known !== undefined) {
    process.stderr.write(`${known.code}: ${known.message}\n`);
    return EXIT.wrong;
  }
  console.error(error);
  return EXIT.wrong;
}

// Whoever reads the report may have read enough, as `head` has: then there is nobody left to work for.
process.stdout.on('error', () => process.exit(EXIT.wrong));
process.exitCode = await main(process.argv.slice(2)).catch(failed);
