/** The app, started as a user does, and databases for it. */

import * as kit from '@streamweld/app-kit/test';
import type pg from 'pg';
import { SCHEMA } from '../src/arguments.ts';

const main = new URL('../src/main.ts', import.meta.url);

export function startApp(args: readonly string[], url?: string): kit.AppProcess {
  return new kit.AppProcess(main, ['--progress', 'plain', ...args], {
    env: url === undefined ? {} : { STREAMWELD_POSTGRES_URL: url },
  });
}

/** A database of its own on the server. @returns its URL. */
export const newDatabase = (server: string): Promise<string> => kit.newDatabase(server, 'logs');

export const ask = <R extends pg.QueryResultRow>(url: string, text: string): Promise<R[]> =>
  kit.ask<R>(url, SCHEMA, text);

/** Rows, and lines among them: the same where nothing is doubled. */
export async function stored(url: string): Promise<{ rows: number; lines: number }> {
  const [found] = await ask<{ rows: number; lines: number }>(
    url,
    'select count(*)::int as rows, count(distinct (file, incarnation, line))::int as lines from requests',
  );
  return found ?? { rows: 0, lines: 0 };
}

/** Resolves when so many rows are stored. */
export const untilStored = (url: string, rows: number): Promise<void> =>
  kit.untilCount(url, rows, `select count(*)::int as count from ${SCHEMA}.requests`);
