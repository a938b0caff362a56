import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GracefulShutdown, WriteError } from '@streamweld/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresService, startPostgres } from '../../../tools/services/postgres.ts';
import { addUp, Analytics } from '../src/analytics.ts';
import { parseArguments, type ReplayArguments } from '../src/arguments.ts';
import { CardNetwork, isBlocked, silencesOf } from '../src/cards.ts';
import { initialStock, PRODUCTS } from '../src/catalogue.ts';
import { Database } from '../src/database.ts';
import { findPaid, findReserved, findSold } from '../src/found.ts';
import { Inventory } from '../src/inventory.ts';
import { type Order, orderAt } from '../src/orders.ts';
import { Payments } from '../src/payments.ts';
import { replay } from '../src/replay.ts';
import { newDatabase } from './databases.ts';

const SEED = 1;
const orders = Array.from({ length: 2000 }, (_, index) => orderAt(SEED, index + 1));
const few = orders.slice(0, 60);

let service: PostgresService;
let database: Database;
let folder: string;

beforeAll(async () => {
  service = await startPostgres();
});
afterAll(() => service?.stop());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'orders-sinks-'));
  database = await Database.open(await newDatabase(service.url), new AbortController().signal);
});
afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** The stock is for so many orders, however many come. */
function begin(forOrders: number): Promise<void> {
  return database.begin({ seed: SEED, orders: forOrders, folder });
}

/** What a write rejects with. */
async function failure(write: Promise<void>): Promise<WriteError> {
  const error = await write.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(WriteError);
  return error as WriteError;
}

describe('Inventory', () => {
  it('reserves no piece twice, and never one that is not there, where eight write at once and orders come again', async () => {
    // Six times as many orders as there is stock for: nearly every write fights for the last pieces.
    await begin(50);
    const inventory = new Inventory(database);
    const batches = Array.from({ length: 60 }, (_, index) =>
      orders.slice((index * 10) % 300, ((index * 10) % 300) + 10),
    );
    await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let at = writer; at < batches.length; at += 8)
          await inventory.write(batches[at] as readonly Order[]);
      }),
    );
    const { stock, orders: reserved, lines } = await findReserved(database);
    expect(reserved).toBe(300);
    expect(lines).toBe(orders.slice(0, 300).reduce((sum, order) => sum + order.lines.length, 0));
    const wanted = addUp(orders.slice(0, 300)).byProduct;
    for (const each of stock) {
      const product = PRODUCTS.find(({ sku }) => sku === each.sku);
      expect(each.initial).toBe(product && initialStock(product, 50));
      expect(each.available).toBe(each.initial - each.reserved);
      expect(each.reserved + each.missing).toBe(wanted.get(each.sku)?.count ?? 0);
      if (each.leastMissing !== null) expect(each.leastMissing).toBeGreaterThan(each.available);
    }
    expect(stock.filter(({ missing }) => missing > 0).length).toBeGreaterThan(20);
  });
});

describe('Payments', () => {
  it('takes the money once, however often an order comes', async () => {
    await begin(60);
    const good = few.filter(({ customer }) => !isBlocked(customer.card) && silencesOf(customer.card) === 0);
    const payments = new Payments(database, new CardNetwork(false), 'run');
    await payments.write(good);
    await Promise.all([payments.write(good), payments.write(good.slice(3))]);
    expect(payments.paid).toBe(good.length);
    const { ids, cents } = await findPaid(database);
    expect([...ids].sort((a, b) => a - b)).toEqual(good.map(({ id }) => id));
    expect(cents).toBe(good.reduce((sum, order) => sum + order.cents, 0));
  });

  it('names what cannot be paid as bad, and what nobody answers about as passing; the rest is paid', async () => {
    await begin(60);
    const blocked = orders.find(({ customer }) => isBlocked(customer.card)) as Order;
    const silent = orders.find(({ customer }) => silencesOf(customer.card) === 2) as Order;
    const [first, second] = few.filter(
      ({ customer }) => !isBlocked(customer.card) && silencesOf(customer.card) === 0,
    ) as [Order, Order];
    const payments = new Payments(database, new CardNetwork(false), 'run');

    const bad = await failure(payments.write([first, blocked, silent, second]));
    expect(bad).toMatchObject({ retryable: false, failed: [1] });
    const passing = await failure(payments.write([first, silent, second]));
    expect(passing).toMatchObject({ retryable: true, failed: [1] });
    await payments.write([silent]);
    expect((await findPaid(database)).ids).toEqual(new Set([first.id, second.id, silent.id]));

    await new Payments(database, new CardNetwork(true), 'replay').write([blocked]);
    expect((await findPaid(database)).ids.has(blocked.id)).toBe(true);
  });
});

describe('Analytics', () => {
  it('adds each order up once, also where it comes again beside others', async () => {
    await begin(60);
    const analytics = new Analytics(database);
    await analytics.write(few.slice(0, 40));
    await analytics.write(few.slice(20));
    await analytics.write(few.slice(0, 10));
    const { byProduct, byCountry } = await findSold(database);
    expect(byProduct).toEqual(addUp(few).byProduct);
    expect(byCountry).toEqual(addUp(few).byCountry);
  });
});

describe('replay', () => {
  it('has nothing to put right before there was a run', async () => {
    const given = parseArguments(['replay', import.meta.filename, '--out', folder]) as ReplayArguments;
    using shutdown = new GracefulShutdown();
    await expect(replay(given, { database, shutdown, print: () => {} })).rejects.toMatchObject({
      code: 'ORDERS_RUN_MISSING',
    });
  });
});
