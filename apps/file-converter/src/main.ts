/** The app: `npx --yes pnpm@12 example file-converter`. */

import { isStreamWeldError } from '@streamweld/core';
import { ArgumentError, readArguments, USAGE } from './arguments.ts';
import { Interrupted, Stop } from './stop.ts';

const EXIT = { wrong: 1, usage: 2, interrupted: 130 } as const;

async function main(args: readonly string[]): Promise<number> {
  const given = readArguments(args);
  if (given.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  // Loaded now: an argument that cannot be meant is answered at once.
  const { work } = await import('./work.ts');
  const stop = new Stop((line) => process.stderr.write(`${line}\n`));
  const isGood = await work(given, stop, (line) => process.stdout.write(`${line}\n`)).catch(
    (error: unknown) => {
      // What an abort makes fail on its way out is not what happened.
      stop.signal.throwIfAborted();
      throw error;
    },
  );
  stop.signal.throwIfAborted();
  return isGood ? 0 : EXIT.wrong;
}

function failed(error: unknown): number {
  if (error instanceof ArgumentError) {
    process.stderr.write(`${error.message}\n--help says what can be given.\n`);
    return EXIT.usage;
  }
  if (error instanceof Interrupted) {
    process.stderr.write(`${error.message}\n`);
    return EXIT.interrupted;
  }
  if (isStreamWeldError(error)) process.stderr.write(`${error.code}: ${error.message}\n`);
  else console.error(error);
  return EXIT.wrong;
}

// Whoever reads the report may have read enough, as `head` has.
process.stdout.on('error', () => process.exit(EXIT.wrong));
process.exitCode = await main(process.argv.slice(2)).catch(failed);
