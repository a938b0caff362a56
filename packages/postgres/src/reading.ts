/** A transaction that changes nothing, sees one state, and writes values as text that says all. */

import type { Session } from './client.ts';

/**
 * How values are written as text, whatever the server's settings are. Whether a day or a month comes first in a query's own
 * dates stays as it was set. And a transaction that waits for a sink is not one that somebody forgot.
 */
export const SETTINGS = `set datestyle to 'ISO'; set intervalstyle to 'postgres'; set timezone to 'UTC';
  set bytea_output to 'hex'; set extra_float_digits to 1;
  set idle_in_transaction_session_timeout to 0`;

/** @param snapshot the state that another transaction exported; a new one if not given. */
export async function beginReading(session: Session, snapshot?: string): Promise<void> {
  await session.query('begin transaction isolation level repeatable read read only');
  if (snapshot !== undefined) {
    // It takes no parameter; what it is was said by the server.
    await session.query(`set transaction snapshot '${snapshot.replaceAll("'", "''")}'`);
  }
  // Of this transaction alone: a pool's connection goes back as it came.
  await session.query(SETTINGS.replaceAll('set ', 'set local '));
}
