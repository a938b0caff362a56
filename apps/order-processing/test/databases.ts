/** Databases for runs of the app, and what is asked of them from outside. */

import pg from 'pg';

let databases = 0;

/** A database of its own on the server. @returns its URL. */
export async function newDatabase(server: string): Promise<string> {
  databases += 1;
  const name = `orders_${process.pid}_${databases}`;
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

/** Asks one question. Where the tables are not there yet, nothing is answered. */
export async function ask<R extends pg.QueryResultRow>(url: string, text: string): Promise<R[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query('set search_path = streamweld_orders');
    return (await client.query<R>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Resolves when the run has paid so many orders. */
export function untilPaid(url: string, orders: number): Promise<void> {
  return until(url, orders, 'select count(*)::int as count from streamweld_orders.payments');
}

/** Resolves when the run would go on behind so many orders, were it killed now. */
export function untilKept(url: string, orders: number): Promise<void> {
  return until(
    url,
    orders,
    'select max(position::int) as count from streamweld_orders.streamweld_checkpoints',
  );
}

/** Asks again and again, over one connection, until the count is as large as that. */
async function until(url: string, count: number, question: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    for (;;) {
      // The tables may not be there yet.
      const found = await client.query<{ count: number | null }>(question).catch(() => undefined);
      if ((found?.rows[0]?.count ?? 0) >= count) return;
    }
  } finally {
    await client.end();
  }
}
