/** A partition that does not exist does not compile, and each kind of dispatcher knows whether there are any. */

import {
  type Dispatcher,
  DispatchedPipelineBuilder,
  type DispatchStrategy,
  type Key,
  type Sink,
  type Subscription,
} from '@streamweld/core';
import { expectTypeOf, test } from 'vitest';

interface Order {
  readonly id: number;
  readonly country: 'de' | 'fr';
}

declare const builder: DispatchedPipelineBuilder<Order>;
declare const sink: Sink<Order>;
declare const wide: Sink<unknown>;
declare const other: Sink<string>;
declare const strategy: DispatchStrategy<Order>;

test('a builder makes dispatchers of its items', () => {
  expectTypeOf(builder.broadcast()).toEqualTypeOf<Dispatcher<Order>>();
  expectTypeOf(builder.demand({ shuffle: true })).toEqualTypeOf<Dispatcher<Order>>();
  expectTypeOf(builder.custom(strategy)).toEqualTypeOf<Dispatcher<Order>>();
  expectTypeOf(builder.partition(['de', 'fr'], (order) => order.country)).toEqualTypeOf<
    Dispatcher<Order, 'de' | 'fr'>
  >();
  expectTypeOf(builder.partition([1, 'x'], () => 1)).toEqualTypeOf<Dispatcher<Order, 1 | 'x'>>();
  expectTypeOf(builder.partition(8, (order) => order.id)).toEqualTypeOf<Dispatcher<Order, number>>();
  expectTypeOf(builder.broadcast().createSink(10)).toEqualTypeOf<Sink<Order>>();
});

test('a route answers one of the names, or a key', () => {
  // @ts-expect-error 'it' is no partition
  builder.partition(['de', 'fr'], () => 'it');
  // @ts-expect-error a route may not answer any text
  builder.partition(['de', 'fr'], (order) => String(order.country));
  // @ts-expect-error an object is no key
  builder.partition(8, (order) => order);
  // @ts-expect-error nor is undefined
  builder.partition(8, () => undefined);
  builder.partition(8, (order) => BigInt(order.id));
  builder.partition(['de', 'fr'], (order) => order.country, {
    key: (order) => {
      expectTypeOf(order).toEqualTypeOf<Order>();
      return order.id;
    },
    onUnknown: wide,
  });
  // @ts-expect-error an object is no key
  builder.partition(8, (order) => order.id, { key: (order) => order });
  // @ts-expect-error it takes text, not orders
  builder.partition(8, (order) => order.id, { onUnknown: other });
  // @ts-expect-error no such policy
  builder.partition(8, (order) => order.id, { onUnknown: 'ignore' });
  expectTypeOf<Key>().toEqualTypeOf<string | number | bigint | boolean | Uint8Array>();
});

test('a partition is required where there are some, and one of them', () => {
  const countries = builder.partition(['de', 'fr'], (order) => order.country);
  expectTypeOf(countries.subscribeSink(sink, 'de')).toEqualTypeOf<Promise<Subscription>>();
  void countries.subscribeSink(sink, 'fr', { bufferSize: 10 });
  // @ts-expect-error no partition is called that
  void countries.subscribeSink(sink, 'it');
  // @ts-expect-error which one?
  void countries.subscribeSink(sink);
  // @ts-expect-error which one?
  void countries.subscribeSink(sink, undefined, { bufferSize: 10 });
  // @ts-expect-error names are not numbers
  void countries.subscribeSink(sink, 0);
  void builder.partition(8, (order) => order.id).subscribeSink(sink, 7);
  // @ts-expect-error numbers are not names
  void builder.partition(8, (order) => order.id).subscribeSink(sink, '7');
});

test('a partition is refused where there are none', () => {
  for (const dispatcher of [builder.broadcast(), builder.demand(), builder.custom(strategy)]) {
    void dispatcher.subscribeSink(sink);
    void dispatcher.subscribeSink(sink, undefined, { name: 'orders' });
    // @ts-expect-error there are no partitions
    void dispatcher.subscribeSink(sink, 'de');
    // @ts-expect-error the options come third
    void dispatcher.subscribeSink(sink, { name: 'orders' });
  }
});

test('a sink takes the items, and so do the functions of its subscription', () => {
  const dispatcher = builder.broadcast();
  void dispatcher.subscribeSink(wide);
  // @ts-expect-error it takes text, not orders
  void dispatcher.subscribeSink(other);
  void dispatcher.subscribeSink((batch) => {
    expectTypeOf(batch).toEqualTypeOf<readonly Order[]>();
  });
  void dispatcher.subscribeSink(sink, undefined, {
    selector: (order) => {
      expectTypeOf(order).toEqualTypeOf<Order>();
      return order.id > 1;
    },
    onDrop: (orders) => {
      expectTypeOf(orders).toEqualTypeOf<readonly Order[]>();
    },
  });
  // @ts-expect-error no such option
  void dispatcher.subscribeSink(sink, undefined, { buffersize: 10 });
  // @ts-expect-error no such policy
  void dispatcher.subscribeSink(sink, undefined, { overflow: 'drop' });
});

test('a dispatcher of one kind of item feeds one that takes more', () => {
  const unknowns = new DispatchedPipelineBuilder<unknown>().broadcast();
  void builder.broadcast().subscribeSink(unknowns.createSink());
  // @ts-expect-error texts are not orders
  void builder.broadcast().subscribeSink(new DispatchedPipelineBuilder<string>().broadcast().createSink());
});
