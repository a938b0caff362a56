/** What the types of a sink allow, without a server: the compiler is what tests here. */

import { ConcurrentPipeline, from } from '@streamweld/core';
import { expectTypeOf, it } from 'vitest';
import { PostgresSink } from '../src/sink.ts';

interface Order {
  readonly id: number;
  readonly name: string;
}

const orders: readonly Order[] = [];
const connection = 'postgres://localhost/shop';

it('takes items of an interface, also by a sink that stands in a variable', () => {
  const sink = new PostgresSink({ connection, table: 'orders' });
  expectTypeOf(() => new ConcurrentPipeline(from(orders), sink)).toBeFunction();
  expectTypeOf(() => new ConcurrentPipeline(orders, sink)).toBeFunction();
  const listed = new PostgresSink({ connection, table: 'orders', columns: ['id', 'name'] });
  expectTypeOf(() => new ConcurrentPipeline(from(orders), listed)).toBeFunction();
  const upsert = new PostgresSink({ connection, table: 'orders', mode: 'upsert', key: 'id' });
  expectTypeOf(() => new ConcurrentPipeline(from(orders), upsert)).toBeFunction();
});

it('tells functions what an item is', () => {
  new PostgresSink<Order>({
    connection,
    table: 'orders',
    mode: 'upsert',
    key: 'id',
    columns: { id: 'id', name: (order) => order.name.trim() },
    delete: (order) => {
      expectTypeOf(order).toEqualTypeOf<Order>();
      return order.name === '';
    },
  });
  const inferred = new PostgresSink({
    connection,
    table: 'orders',
    columns: { id: (order: Order) => order.id },
  });
  expectTypeOf(inferred).toEqualTypeOf<PostgresSink<Order>>();
  // @ts-expect-error A sink of orders takes no others.
  expectTypeOf(() => new ConcurrentPipeline(from([{ url: '' }]), inferred)).toBeFunction();
});

it('takes nothing that is no object', () => {
  const sink = new PostgresSink({ connection, table: 'orders' });
  // @ts-expect-error A number is no row.
  expectTypeOf(() => new ConcurrentPipeline([1], sink)).toBeFunction();
});
