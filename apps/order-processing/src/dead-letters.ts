/** The files of dead letters: what is in them, and what they are called. */

import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DeadLetter } from '@streamweld/core';
import type { Order } from './orders.ts';
import { refusal } from './refusals.ts';

export const DEAD_LETTERS = 'dead-letters.ndjson';

/** How each line begins. */
const BEGIN = '{"item":';

/**
 * The order that a line of such a file is about, alone. There is none in a line that a kill has torn: its order was not done, and
 * has come again since.
 * @throws Refusal for what is no dead letter of a payment
 */
export function ordersOf(line: string): readonly Order[] {
  let letter: unknown;
  try {
    letter = JSON.parse(line);
  } catch {
    if (BEGIN.startsWith(line.slice(0, BEGIN.length))) return [];
  }
  const { stage, item } = (letter ?? {}) as Partial<DeadLetter<Partial<Order>>>;
  const isOrder =
    Number.isInteger(item?.id) && Number.isInteger(item?.cents) && typeof item?.customer?.card === 'string';
  if (stage === 'payment' && isOrder) return [item as Order];
  throw refusal(
    'ORDERS_LETTER_UNKNOWN',
    'The file holds a line that is no dead letter of a payment. Give replay the file that a run names at its end.',
  );
}

/** Where the dead letters of a replay go: `dead-letters.ndjson`, `dead-letters.2.ndjson`, `dead-letters.3.ndjson`, … */
export function nextFile(file: string): string {
  const [, stem = '', number = '1'] = /^(.*?)(?:\.(\d{1,9}))?(?:\.ndjson)?$/s.exec(basename(file)) ?? [];
  return join(dirname(file), `${stem}.${Number(number) + 1}.ndjson`);
}

/** The ids of the orders in a file, each once; none where there is no file. Nothing of StreamWeld reads them. */
export async function ordersIn(file: string): Promise<Set<number>> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const orders = text.split('\n').flatMap((line) => (line === '' ? [] : ordersOf(line)));
  return new Set(orders.map(({ id }) => id));
}
