/** A transaction that changes nothing, sees one state, and writes values as text that says all. */

import type { Session } from './client.ts';

/** How values are written as text, whatever the server's settings are. */
const SETTINGS = `set local datestyle to 'ISO, YMD'; set local intervalstyle to 'postgres'; set local timezone to 'UTC';
  set local bytea_output to 'hex'; set local extra_float_digits to 1`;

/** @param snapshot the state that another transaction exported; a new one if not given. */
export async function beginReading(session: Session, snapshot?: string): Promise<void> {
  await session.query('begin transaction isolation level repeatable read read only');
  if (snapshot !== undefined) {
    // It takes no parameter; what it is was said by the server.
    await session.query(`set transaction snapshot '${snapshot.replaceAll("'", "''")}'`);
  }
  await session.query(SETTINGS);
}
