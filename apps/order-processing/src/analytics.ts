/** The sink that adds up what is sold, by product and by country: each order once, however often it comes. */

import type { Sink } from '@streamweld/core';
import type { Database, Transaction } from './database.ts';
import type { Order } from './orders.ts';

export interface Sum {
  /** Pieces of a product, or orders of a country. */
  count: number;
  cents: number;
}

/** What orders come to. */
export interface Sales {
  readonly byProduct: ReadonlyMap<string, Sum>;
  readonly byCountry: ReadonlyMap<string, Sum>;
}

export function addUp(orders: Iterable<Order>): Sales {
  const [byProduct, byCountry] = [new Map<string, Sum>(), new Map<string, Sum>()];
  for (const { customer, lines, cents } of orders) {
    add(byCountry, customer.country, 1, cents);
    for (const line of lines) add(byProduct, line.sku, line.quantity, line.quantity * line.cents);
  }
  return { byProduct, byCountry };
}

function add(sums: Map<string, Sum>, key: string, count: number, cents: number): void {
  const sum = sums.get(key);
  if (sum === undefined) {
    sums.set(key, { count, cents });
    return;
  }
  sum.count += count;
  sum.cents += cents;
}

/** The list of what is counted and the sums are one transaction: an order that comes again finds itself in the list. */
export class Analytics implements Sink<Order> {
  readonly name = 'analytics';
  readonly atomic = true;
  readonly concurrency = 1;
  readonly batching = { maxItems: 100 };
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  write(batch: readonly Order[]): Promise<void> {
    return this.#database.transaction(async (transaction) => {
      const { rows } = await transaction.query<{ id: number }>(
        'insert into counted select unnest($1::int[]) on conflict do nothing returning order_id as id',
        [batch.map(({ id }) => id)],
      );
      const fresh = new Set(rows.map(({ id }) => id));
      const { byProduct, byCountry } = addUp(batch.filter(({ id }) => fresh.has(id)));
      await increase(transaction, 'sales_by_product', 'sku', 'pieces', byProduct);
      await increase(transaction, 'sales_by_country', 'country', 'orders', byCountry);
    });
  }
}

async function increase(
  { query }: Transaction,
  table: string,
  key: string,
  count: string,
  sums: ReadonlyMap<string, Sum>,
): Promise<void> {
  if (sums.size === 0) return;
  await query(
    `insert into ${table} as sold select * from unnest($1::text[], $2::int[], $3::bigint[])
       on conflict (${key}) do update set ${count} = sold.${count} + excluded.${count}, cents = sold.cents + excluded.cents`,
    [
      [...sums.keys()],
      [...sums.values()].map((sum) => sum.count),
      [...sums.values()].map(({ cents }) => cents),
    ],
  );
}
