import { describe, expect, it } from 'vitest';
import { isBlocked, silencesOf } from '../src/cards.ts';
import { initialStock, PRODUCTS } from '../src/catalogue.ts';
import { type Order, orderAt, OrdersSource } from '../src/orders.ts';
import { subjectOf } from '../src/people.ts';

const ORDERS = 4000;
const orders = Array.from({ length: ORDERS }, (_, index) => orderAt(1, index + 1));

describe('the orders of a seed', () => {
  it('are the same each time, and others for another seed', () => {
    expect(orderAt(1, 42)).toEqual(orders[41]);
    expect(orderAt(2, 42)).not.toEqual(orders[41]);
  });

  it('cost what their lines come to, and have each product once', () => {
    for (const { lines, cents } of orders) {
      expect(lines.length).toBeGreaterThan(0);
      expect(new Set(lines.map(({ sku }) => sku)).size).toBe(lines.length);
      expect(lines.reduce((sum, line) => sum + line.quantity * line.cents, 0)).toBe(cents);
    }
  });

  it('come from all countries, and are thanked for in writing that ASCII has not', () => {
    const countries = new Set(orders.map(({ customer }) => customer.country));
    expect(countries.size).toBe(12);
    const subjects = [...countries].map((country) => subjectOf(country, 'SW-000001'));
    expect(subjects.every((subject) => subject.includes('SW-000001'))).toBe(true);
    for (const sign of ['ę', 'ş', 'ご', 'धन्य', '📦']) expect(subjects.join()).toContain(sign);
  });

  it('have some cards that are blocked, and some that do not answer at first, but not many', () => {
    const share = (wanted: (card: string) => boolean) =>
      orders.filter(({ customer }) => wanted(customer.card)).length / ORDERS;
    expect(share(isBlocked)).toBeGreaterThan(0.003);
    expect(share(isBlocked)).toBeLessThan(0.02);
    expect(share((card) => silencesOf(card) > 0)).toBeGreaterThan(0.02);
    expect(share((card) => silencesOf(card) > 0)).toBeLessThan(0.08);
  });

  it('want more of some products than there is, and less of most', () => {
    const ordered = new Map<string, number>();
    for (const { lines } of orders)
      for (const { sku, quantity } of lines) ordered.set(sku, (ordered.get(sku) ?? 0) + quantity);
    const soldOut = PRODUCTS.filter(
      (product) => (ordered.get(product.sku) ?? 0) > initialStock(product, ORDERS),
    );
    expect(soldOut.length).toBeGreaterThan(2);
    expect(soldOut.length).toBeLessThan(PRODUCTS.length / 2);
  });
});

describe('OrdersSource', () => {
  const never = new AbortController().signal;
  const context = (position?: number) => ({
    positions: new Map(position === undefined ? [] : [['', position]]),
    signal: never,
    settled: async () => {},
    endLane: () => {},
    fail: () => {},
  });

  function rest(source: OrdersSource): Order[] {
    const all: Order[] = [];
    for (let answer = source.pull(7); answer !== undefined; answer = source.pull(7)) {
      expect(answer.items.length).toBeLessThanOrEqual(7);
      all.push(...answer.items);
      expect(answer.position).toBe(all.at(-1)?.id);
    }
    return all;
  }

  it('hands out all orders, and goes on behind any position', () => {
    const source = new OrdersSource(1, 100);
    source.open(context());
    expect(rest(source)).toEqual(orders.slice(0, 100));
    expect(source.last).toBe(100);
    const resumed = new OrdersSource(1, 100);
    resumed.open(context(93));
    expect(rest(resumed)).toEqual(orders.slice(93, 100));
  });
});
