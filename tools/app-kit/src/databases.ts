/** Databases for runs of an app in its tests, and what is asked of them from outside. */

import pg from 'pg';

let databases = 0;

/** A database of its own on the server. @param purpose with which its name begins. @returns its URL. */
export async function newDatabase(server: string, purpose: string): Promise<string> {
  databases += 1;
  const name = `${purpose}_${process.pid}_${databases}`;
  await asked(server, (client) => client.query(`create database ${client.escapeIdentifier(name)}`));
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** Asks one question, of tables that are in this schema. */
export async function ask<R extends pg.QueryResultRow>(
  url: string,
  schema: string,
  text: string,
): Promise<R[]> {
  return asked(url, async (client) => {
    await client.query(`set search_path = ${client.escapeIdentifier(schema)}`);
    return (await client.query<R>(text)).rows;
  });
}

/** Asks for a `count` again and again, over one connection, until it is as large as that. Its tables may not be there yet. */
export async function untilCount(url: string, count: number, question: string): Promise<void> {
  await asked(url, async (client) => {
    for (;;) {
      const found = await client.query<{ count: number | null }>(question).catch(() => undefined);
      if ((found?.rows[0]?.count ?? 0) >= count) return;
    }
  });
}

async function asked<R>(url: string, ask: (client: pg.Client) => Promise<R>): Promise<R> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await ask(client);
  } finally {
    await client.end();
  }
}
