/**
 * Which rows of a batch the server refuses: halves are tried in a transaction that is undone, each behind a savepoint.
 *
 *     [a b c d e f g h]  refused ──► [a b c d] taken, [e f g h] refused ──► [e f] … ──► g
 */

import type { Session } from './client.ts';
import { isOfData, sqlStateOf } from './errors.ts';
import { type Indexed, indexOf } from './sink-rows.ts';
import type { Statements } from './sink-statements.ts';

export interface Refused {
  readonly error: unknown;
  /** Their indexes in the batch. */
  readonly failed: readonly number[];
}

/** More are found by the next write: each costs the server a few statements. */
const MOST = 1000;

/**
 * Of the rows that are refused, those refused for the same reason as the first of them. Where none is, the parts that were
 * taken, in order: what only the batch as a whole breaks, such as the order in which rows free and take what another unique
 * index has, they do not.
 */
export async function findRefused<T>(
  session: Session,
  batch: Indexed<T>,
  statements: Statements<T>,
): Promise<Refused | readonly Indexed<T>[]> {
  const taken: Indexed<T>[] = [];
  const found: { readonly error: unknown; readonly index: number }[] = [];

  async function attempt(from: number, to: number): Promise<void> {
    if (found.length >= MOST) return;
    const part: Indexed<T> = {
      items: batch.items.slice(from, to),
      at: Array.from({ length: to - from }, (_, at) => indexOf(batch, from + at)),
    };
    await session.query('savepoint streamweld');
    try {
      for (const statement of statements.make(part)) await statement(session);
      await session.query('release savepoint streamweld');
      taken.push(part);
      return;
    } catch (error) {
      // A deadlock or a timeout blames no row.
      if (session.isLost || !isOfData(error)) throw error;
      await session.query('rollback to savepoint streamweld');
      await session.query('release savepoint streamweld');
      if (to - from === 1) {
        found.push({ error, index: indexOf(batch, from) });
        return;
      }
    }
    const middle = (from + to) >> 1;
    await attempt(from, middle);
    await attempt(middle, to);
  }

  await session.query('begin');
  // A constraint that is checked at the end of a transaction is checked here at once: there is a row to blame.
  await session.query('set constraints all immediate');
  const { length } = batch.items;
  await attempt(0, length >> 1);
  await attempt(length >> 1, length);
  const [first] = found;
  if (first === undefined) return taken;
  const same = found.filter(({ error }) => reasonOf(error) === reasonOf(first.error));
  return { error: first.error, failed: same.map(({ index }) => index) };
}

function reasonOf(error: unknown): string {
  const { constraint, column } = error as { constraint?: string; column?: string };
  return JSON.stringify([sqlStateOf(error), constraint, column]);
}
