import { describe, expect, it } from 'vitest';
import { collect } from '../../src/builtin/sinks.ts';
import { from } from '../../src/flow/flow.ts';
import type { SchemaResult, StandardSchema } from '../../src/flow/validate.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { rejection } from '../controlled.ts';
import { iterate, ListSource } from './instruments.ts';

interface Order {
  readonly id: number;
  readonly lines: readonly { readonly price: number }[];
}

/** A schema as the specification shapes it; its messages quote the values, as those of some libraries do. */
function orderSchema(isAsync: boolean): StandardSchema<unknown, Order> {
  const check = (value: unknown): SchemaResult<Order> => {
    const order = value as { id: unknown; lines: { price: unknown }[] };
    const issues = [];
    if (typeof value === 'string') return { issues: [{ message: `Expected an order, got ${value}` }] };
    if (Number.isNaN(Number(order.id))) issues.push({ message: `Bad id ${String(order.id)}`, path: ['id'] });
    for (const [at, { price }] of order.lines.entries()) {
      if (typeof price !== 'number') {
        issues.push({
          message: `Bad price ${String(price)}`,
          path: [{ key: 'lines' }, { key: at }, 'price'],
        });
      }
    }
    return issues.length > 0 ? { issues } : { value: { ...(value as Order), id: Number(order.id) } };
  };
  const validate = isAsync ? async (value: unknown) => check(value) : check;
  return { '~standard': { version: 1, vendor: 'shop', validate } };
}

const good = { id: '7', lines: [{ price: 1 }] };
const bad = { id: 'hunter2', lines: [{ price: 1 }, { price: 'hunter2' }] };

describe.each([
  ['at once', false],
  ['later', true],
])('Flow.validate, with a schema that answers %s', (_, isAsync) => {
  it('passes on what the schema makes of an item', async () => {
    expect(await iterate(from([good]).validate(orderSchema(isAsync)))).toEqual([
      { id: 7, lines: [{ price: 1 }] },
    ]);
  });

  it('fails with the paths of what does not fit, and never with a value', async () => {
    const error = (await rejection(iterate(from([good, bad]).validate(orderSchema(isAsync))))) as Error;
    expect(error).toMatchObject({ code: 'SW_ITEM_INVALID', stage: 'validate' });
    expect(error.message).toContain('id, lines.1.price');
    expect(error.message).toContain('shop');
    for (let at: unknown = error; at instanceof Error; at = at.cause)
      expect(at.message).not.toContain('hunter2');
    expect(JSON.stringify(error)).not.toContain('hunter2');
  });

  it('speaks of the item itself where there is no path', async () => {
    const flow = from(['hunter2']).validate(orderSchema(isAsync) as StandardSchema<unknown, Order>);
    const error = (await rejection(iterate(flow))) as Error;
    expect(error.message).toContain('the item itself');
    expect(error.message).not.toContain('hunter2');
  });

  it('drops and counts what does not fit, and keeps its position', async () => {
    const source = new ListSource([bad, good, bad, bad, good, bad], { size: () => 2 });
    const sink = collect<Order>();
    const flow = from<unknown>(source).validate(orderSchema(isAsync), { onInvalid: 'drop' });
    const report = await new ConcurrentPipeline(flow, sink).run();
    expect(sink.items).toHaveLength(2);
    expect(report).toMatchObject({ read: 6, written: 2, dropped: 4 });
    expect(source.commits.at(-1)).toBe(6);
  });
});

describe('Flow.validate', () => {
  it('takes schemas that are functions', async () => {
    const schema = Object.assign(() => {}, orderSchema(false));
    expect(await iterate(from([good]).validate(schema))).toHaveLength(1);
  });

  it.each([[undefined], [{}], [{ '~standard': {} }], [7]])('refuses %s as a schema', (schema) => {
    expect(() => from([1]).validate(schema as never)).toThrow(
      expect.objectContaining({ code: 'SW_OPTION_INVALID' }),
    );
  });

  it('knows only its own policies', () => {
    expect(() => from([1]).validate(orderSchema(false), { onInvalid: 'keep' as never })).toThrow(RangeError);
  });
});
