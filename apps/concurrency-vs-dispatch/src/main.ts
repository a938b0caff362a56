/** The comparison: `npx --yes pnpm@12 example concurrency-vs-dispatch`. */

import { isStreamWeldError } from '@streamweld/core';
import { ArgumentError, readArguments, USAGE } from './arguments.ts';
import { compare } from './compare.ts';
import { Page } from './page.ts';
import { Interrupted } from './stop.ts';
import { isInteractive } from './terminal.ts';

const EXIT = { wrong: 1, usage: 2, interrupted: 130 } as const;

async function main(args: readonly string[]): Promise<number> {
  const given = readArguments(args);
  if (given.help) {
    console.log(USAGE);
    return 0;
  }
  const isWatched = !given.table && isInteractive() && (given.modes?.length ?? 1) === 1;
  // Only a terminal needs what draws and asks.
  const show = isWatched ? (await import('./watch.ts')).watch : compare;
  await using page = await Page.open(given.inspect);
  if (page.url !== undefined) process.stderr.write(`Look at ${page.url}\n`);
  const { holds } = await show(given, page);
  return holds ? 0 : EXIT.wrong;
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

// Whoever reads the table may have read enough, as `head` has.
process.stdout.on('error', () => process.exit(EXIT.wrong));
process.exitCode = await main(process.argv.slice(2)).catch(failed);
