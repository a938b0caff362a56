/** The app, started as a user does, and databases for it. */

import { AppProcess } from '@streamweld/app-kit/test';
import pg from 'pg';

const main = new URL('../src/main.ts', import.meta.url);

export function startApp(args: readonly string[], url?: string): AppProcess {
  return new AppProcess(main, ['--progress', 'plain', ...args], {
    env: url === undefined ? {} : { STREAMWELD_POSTGRES_URL: url },
  });
}

let databases = 0;

/** A database of its own on the server. @returns its URL. */
export async function newDatabase(server: string): Promise<string> {
  databases += 1;
  const name = `logs_${process.pid}_${databases}`;
  const client = new pg.Client(server);
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

export async function ask<R extends pg.QueryResultRow>(url: string, text: string): Promise<R[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query('set search_path = streamweld_logs');
    return (await client.query<R>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Rows, and lines among them: the same where nothing is doubled. */
export async function stored(url: string): Promise<{ rows: number; lines: number }> {
  const [found] = await ask<{ rows: number; lines: number }>(
    url,
    'select count(*)::int as rows, count(distinct (file, incarnation, line))::int as lines from requests',
  );
  return found ?? { rows: 0, lines: 0 };
}

/** Resolves when so many rows are stored. Asks again and again, over one connection. */
export async function untilStored(url: string, rows: number): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    for (;;) {
      // The table may not be there yet.
      const found = await client
        .query<{ count: number }>('select count(*)::int as count from streamweld_logs.requests')
        .catch(() => undefined);
      if ((found?.rows[0]?.count ?? 0) >= rows) return;
    }
  } finally {
    await client.end();
  }
}
