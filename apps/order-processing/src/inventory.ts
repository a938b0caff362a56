/** The sink that reserves what is ordered: several transactions at once, and never more than there is. */

import type { Sink } from '@streamweld/core';
import type { Database, Transaction } from './database.ts';
import type { Line, Order } from './orders.ts';

interface Reservation extends Line {
  readonly id: number;
  readonly isReserved: boolean;
}

/**
 * Each write is one transaction:
 *
 *     lock the rows of the stock, in the order of their keys ──► leave out orders that are there ──► reserve ──► commit
 *
 * Whoever needs one of these rows waits until then, and nobody waits in a circle. A line that is more than what is left
 * is kept as not reserved: it is delivered later.
 */
export class Inventory implements Sink<Order> {
  readonly name = 'inventory';
  readonly atomic = true;
  readonly batching = { maxItems: 25 };
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  write(batch: readonly Order[]): Promise<void> {
    return this.#database.transaction(async (transaction) => {
      const available = await lock(transaction, batch);
      // Asked behind the locks: a write of the same orders that was quicker is seen, for it has the same products.
      const known = await reservedOrders(transaction, batch);
      const reservations = batch
        .filter(({ id }) => !known.has(id))
        .flatMap(({ id, lines }) => lines.map((line) => reserve(id, line, available)));
      if (reservations.length > 0) await keep(transaction, reservations);
    });
  }
}

async function lock({ query }: Transaction, orders: readonly Order[]): Promise<Map<string, number>> {
  const skus = new Set(orders.flatMap(({ lines }) => lines.map(({ sku }) => sku)));
  const { rows } = await query<{ sku: string; available: number }>(
    'select sku, available from stock where sku = any($1) order by sku for update',
    [[...skus]],
  );
  return new Map(rows.map(({ sku, available }) => [sku, available]));
}

async function reservedOrders({ query }: Transaction, orders: readonly Order[]): Promise<Set<number>> {
  const { rows } = await query<{ id: number }>(
    'select distinct order_id as id from reservations where order_id = any($1)',
    [orders.map(({ id }) => id)],
  );
  return new Set(rows.map(({ id }) => id));
}

function reserve(id: number, line: Line, available: Map<string, number>): Reservation {
  const left = (available.get(line.sku) ?? 0) - line.quantity;
  if (left >= 0) available.set(line.sku, left);
  return { ...line, id, isReserved: left >= 0 };
}

async function keep({ query }: Transaction, reservations: readonly Reservation[]): Promise<void> {
  await query(
    `with lines as (
       insert into reservations select * from unnest($1::int[], $2::text[], $3::int[], $4::boolean[])
         returning sku, quantity, is_reserved
     ), taken as (
       select sku, sum(quantity) as quantity from lines where is_reserved group by sku
     )
     update stock set available = available - taken.quantity from taken where stock.sku = taken.sku`,
    [
      reservations.map(({ id }) => id),
      reservations.map(({ sku }) => sku),
      reservations.map(({ quantity }) => quantity),
      reservations.map(({ isReserved }) => isReserved),
    ],
  );
}
