/** Asks an app that serves for entries. */

import type { QueryArguments } from './arguments.ts';
import { addressOf, askSearch } from './ask.ts';
import { foundLines } from './report.ts';

/** Hits that are shown at most. */
const MOST = 50;

/** @returns true: it is an answer, too, that there is nothing. @throws Refusal LOGS_NOT_SERVED */
export async function query({ folder, port, text }: QueryArguments): Promise<boolean> {
  const address = port === undefined ? await addressOf(folder) : `http://127.0.0.1:${port}`;
  const found = await askSearch(address, text, MOST);
  process.stdout.write(`${foundLines(text, found).join('\n')}\n`);
  return true;
}
