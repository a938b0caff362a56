/** What is there: asked of the database by plain SQL, and read from the mails that arrived. */

import type { Sum } from './analytics.ts';
import type { Database } from './database.ts';
import type { Mail } from './mailbox.ts';

export interface Paid {
  readonly ids: ReadonlySet<number>;
  readonly cents: number;
}

export async function findPaid(database: Database): Promise<Paid> {
  const rows = await database.query<{ id: number; cents: number }>(
    'select order_id as id, cents from payments',
  );
  return { ids: new Set(rows.map(({ id }) => id)), cents: rows.reduce((sum, { cents }) => sum + cents, 0) };
}

export interface Stock {
  readonly sku: string;
  readonly name: string;
  readonly initial: number;
  readonly available: number;
  /** Pieces that orders have. */
  readonly reserved: number;
  /** Pieces that orders wait for. */
  readonly missing: number;
  /** Of the lines that wait, the fewest pieces that one wants: more than are left, or it would not wait. */
  readonly leastMissing: number | null;
}

export interface Reserved {
  readonly stock: readonly Stock[];
  readonly orders: number;
  readonly lines: number;
}

export async function findReserved(database: Database): Promise<Reserved> {
  const stock = await database.query<Stock>(
    `select sku, name, initial, available,
            coalesce(sum(quantity) filter (where is_reserved), 0)::int as reserved,
            coalesce(sum(quantity) filter (where not is_reserved), 0)::int as missing,
            min(quantity) filter (where not is_reserved) as "leastMissing"
       from stock left join reservations using (sku) group by sku order by sku`,
  );
  const [counts] = await database.query<{ orders: number; lines: number }>(
    'select count(distinct order_id)::int as orders, count(*)::int as lines from reservations',
  );
  return { stock, ...(counts ?? { orders: 0, lines: 0 }) };
}

/** The sums that analytics has kept, and the same asked of the tables of the others. */
export interface Sold {
  readonly byProduct: ReadonlyMap<string, Sum>;
  readonly byCountry: ReadonlyMap<string, Sum>;
  /** Of the lines of inventory, with the prices of the stock. */
  readonly byInventory: ReadonlyMap<string, Sum>;
}

export async function findSold(database: Database): Promise<Sold> {
  const sums = async (text: string): Promise<Map<string, Sum>> => {
    const rows = await database.query<{ key: string } & Sum>(text);
    return new Map(rows.map(({ key, count, cents }) => [key, { count, cents }]));
  };
  return {
    byProduct: await sums('select sku as key, pieces as count, cents::float8 as cents from sales_by_product'),
    byCountry: await sums(
      'select country as key, orders as count, cents::float8 as cents from sales_by_country',
    ),
    byInventory: await sums(
      `select sku as key, sum(quantity)::int as count, sum(quantity * cents)::float8 as cents
         from reservations join stock using (sku) group by sku`,
    ),
  };
}

export interface Mails {
  /** Each once, by its Message-ID. */
  readonly byId: ReadonlyMap<string, Mail>;
  /** Those that came once more. */
  readonly again: number;
  /** Those that came once more, and were not the same. */
  readonly different: number;
}

export async function findMails(mails: AsyncIterable<Mail>): Promise<Mails> {
  const byId = new Map<string, Mail>();
  let [again, different] = [0, 0];
  for await (const mail of mails) {
    const first = byId.get(mail.messageId);
    if (first === undefined) {
      byId.set(mail.messageId, mail);
      continue;
    }
    again += 1;
    if (JSON.stringify(first) !== JSON.stringify(mail)) different += 1;
  }
  return { byId, again, different };
}
