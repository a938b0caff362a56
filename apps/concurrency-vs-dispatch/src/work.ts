/** What is done with the arguments: it is watched in the terminal, or compared in a table. */

import type { GracefulShutdown } from '@streamweld/core';
import type { Arguments } from './arguments.ts';
import { compare } from './compare.ts';
import { Page } from './page.ts';
import { isInteractive } from './terminal.ts';
import type { Voice } from './voice.ts';

/** @returns whether every proof holds */
export async function work(given: Arguments, shutdown: GracefulShutdown, voice: Voice): Promise<boolean> {
  const isWatched = !given.table && isInteractive() && (given.modes?.length ?? 1) === 1;
  await using page = await Page.open(given.inspect);
  if (page.url !== undefined) process.stderr.write(`Look at ${page.url}\n`);
  if (!isWatched) return (await compare(given, page, shutdown)).holds;
  // Only a terminal needs what draws and asks.
  const { watch } = await import('./watch.ts');
  return (await watch(given, page, shutdown, voice)).holds;
}
