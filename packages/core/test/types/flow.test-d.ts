/** Types flow from source to sink without an annotation; what does not fit does not compile. */

import { Readable, Writable } from 'node:stream';
import {
  type Awaitable,
  Channel,
  collect,
  ConcurrentPipeline,
  count,
  type ErrorCode,
  type Flow,
  from,
  generate,
  print,
  type ProcessContext,
  range,
  repeat,
  type RunReport,
  type Sink,
  type Source,
  type StandardSchema,
  StreamWeldError,
  WriteError,
} from '@streamweld/core';
import { expectTypeOf, test } from 'vitest';

interface Order {
  readonly id: number;
  readonly total: number;
}

declare const orders: Source<Order, string>;
declare const orderSink: Sink<Order>;
declare const textSink: Sink<string>;
declare const schema: StandardSchema<unknown, Order>;

test('from knows its items by what it is given', () => {
  expectTypeOf(from(orders)).toEqualTypeOf<Flow<Order>>();
  expectTypeOf(from([1, 2, 3])).toEqualTypeOf<Flow<number>>();
  expectTypeOf(from(new Set(['a']))).toEqualTypeOf<Flow<string>>();
  expectTypeOf(from('text')).toEqualTypeOf<Flow<string>>();
  expectTypeOf(from(range(0, 5))).toEqualTypeOf<Flow<number>>();
  expectTypeOf(from(repeat({ id: 1 }))).toEqualTypeOf<Flow<{ id: number }>>();
  expectTypeOf(from(generate((n) => `${n}`))).toEqualTypeOf<Flow<string>>();
  expectTypeOf(from(generate(async (n) => (n < 5 ? n : undefined)))).toEqualTypeOf<Flow<number>>();
  expectTypeOf(from(new ReadableStream<Order>())).toEqualTypeOf<Flow<Order>>();
  expectTypeOf(from(new Channel<Order>({ capacity: 1 }))).toEqualTypeOf<Flow<Order>>();
  expectTypeOf(
    from(
      (async function* () {
        yield 1;
      })(),
    ),
  ).toEqualTypeOf<Flow<number>>();
  expectTypeOf(from(from([1]))).toEqualTypeOf<Flow<number>>();
  // @ts-expect-error A number is no source.
  from(5);
});

test('operators carry the type on', () => {
  const flow = from(orders);
  expectTypeOf(flow.map((order) => order.total)).toEqualTypeOf<Flow<number>>();
  expectTypeOf(flow.map(async (order) => String(order.id))).toEqualTypeOf<Flow<string>>();
  expectTypeOf(flow.filter((order) => order.total > 5)).toEqualTypeOf<Flow<Order>>();
  expectTypeOf(from([1, 'a']).filter((item) => typeof item === 'string')).toEqualTypeOf<Flow<string>>();
  expectTypeOf(flow.flatMap((order) => [order.id, order.total])).toEqualTypeOf<Flow<number>>();
  expectTypeOf(
    flow
      .take(5)
      .drop(1)
      .tap(() => {}),
  ).toEqualTypeOf<Flow<Order>>();
  expectTypeOf(flow.batch(10)).toEqualTypeOf<Flow<readonly Order[]>>();
  expectTypeOf(flow.throttle(5, { perMs: 10 })).toEqualTypeOf<Flow<Order>>();
  expectTypeOf(from<unknown>([]).validate(schema)).toEqualTypeOf<Flow<Order>>();
  expectTypeOf(flow.merge(['a'])).toEqualTypeOf<Flow<Order | string>>();
  expectTypeOf(flow.concat(from([1]))).toEqualTypeOf<Flow<Order | number>>();
  expectTypeOf(
    flow.through({ process: (batch: readonly Order[]) => batch.map((order) => order.id) }),
  ).toEqualTypeOf<Flow<number>>();
  expectTypeOf(
    flow.through({
      concurrency: 2,
      process: (batch: readonly Order[], { refuse }: ProcessContext) => {
        refuse(0, new Error('none'));
        return batch.map((order) => order.id);
      },
    }),
  ).toEqualTypeOf<Flow<number>>();
  // @ts-expect-error Nor does what becomes of refused items.
  flow.through({ concurrency: 2, process: (batch: readonly Order[]) => batch }, { onError: 'skip' });
  // @ts-expect-error There is no such property.
  flow.map((order) => order.nonsense);
  // @ts-expect-error A batch size is a number.
  flow.batch('10');
  // @ts-expect-error A misspelt option does not compile.
  flow.map((order) => order, { concurency: 5 });
  // @ts-expect-error throttle needs its period.
  flow.throttle(5);
  // @ts-expect-error A misspelt policy does not compile.
  from<unknown>([]).validate(schema, { onInvalid: 'deadletter' });
  // @ts-expect-error Nor does that of a map.
  flow.map((order) => order, { onError: 'skip' });
});

test('a pipeline takes a sink of its items, and no other', () => {
  expectTypeOf(new ConcurrentPipeline(orders, orderSink).run()).toEqualTypeOf<Promise<RunReport>>();
  new ConcurrentPipeline(
    from(orders).map((order) => order.total),
    (batch) => {
      expectTypeOf(batch).toEqualTypeOf<readonly number[]>();
    },
  );
  new ConcurrentPipeline(from(orders), (batch, context) => {
    expectTypeOf(batch).toEqualTypeOf<readonly Order[]>();
    expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
    expectTypeOf(context.attempt).toEqualTypeOf<number>();
  });
  new ConcurrentPipeline(
    from(orders).map((order) => String(order.id)),
    textSink,
  );
  new ConcurrentPipeline(from(orders), {
    batching: { maxItems: 10 },
    write: (batch, context) => {
      expectTypeOf(batch).toEqualTypeOf<readonly Order[]>();
      expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
    },
  });
  new ConcurrentPipeline(from(orders), count());
  new ConcurrentPipeline(from(orders), collect());
  new ConcurrentPipeline(
    from(orders),
    print((order) => order.id),
  );
  new ConcurrentPipeline(from(orders), new WritableStream<Order>());
  new ConcurrentPipeline(['a'], new Writable());
  new ConcurrentPipeline(Readable.from(['a']), (batch: readonly string[]) => batch.length);
  // @ts-expect-error Orders are no strings.
  new ConcurrentPipeline(orders, textSink);
  const same = from(orders).map((order) => order);
  // @ts-expect-error Nor after a map that leaves them orders.
  new ConcurrentPipeline(same, textSink);
  const totals = from(orders).map((order) => order.total);
  // @ts-expect-error Numbers are no orders.
  new ConcurrentPipeline(totals, orderSink);
  // @ts-expect-error A number is no sink.
  new ConcurrentPipeline(orders, 5);
});

test('options are what they are', () => {
  const pipeline = new ConcurrentPipeline(orders, orderSink);
  expectTypeOf(pipeline.bufferSize(5).maxConcurrency(2).failFast(false)).toEqualTypeOf<
    ConcurrentPipeline<Order>
  >();
  // @ts-expect-error A size is a number.
  pipeline.bufferSize('5');
  // @ts-expect-error Unknown.
  pipeline.commitEvery({ seconds: 5 });
  // @ts-expect-error A signal, no controller.
  void pipeline.run({ signal: new AbortController() });
});

test('a channel knows its items', () => {
  const channel = new Channel<Order>({ capacity: 5 });
  expectTypeOf(channel.receive()).toEqualTypeOf<Promise<Order | undefined>>();
  expectTypeOf(channel.receiveMany(5)).toEqualTypeOf<Promise<readonly Order[] | undefined>>();
  // @ts-expect-error A string is no order.
  void channel.send('text');
  // @ts-expect-error There is no such overflow.
  new Channel({ capacity: 5, overflow: 'explode' });
});

test('errors have a code from the table', () => {
  expectTypeOf<ErrorCode>().toExtend<string>();
  expectTypeOf<'SW_SINK_FAILED'>().toExtend<ErrorCode>();
  expectTypeOf<'SW_NO_SUCH_CODE'>().not.toExtend<ErrorCode>();
  expectTypeOf(new WriteError('no', { failed: [1] })).toExtend<StreamWeldError>();
  expectTypeOf<Awaitable<number>>().toEqualTypeOf<number | PromiseLike<number>>();
});
