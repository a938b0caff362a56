/** Items as text: whatever they are, short, and without a call into them. */

import { describe, expect, it, vi } from 'vitest';
import { previewOf } from '../../src/inspector/preview.ts';

const throwing = (): never => {
  throw new Error('from the item');
};

describe('previewOf', () => {
  it.each<[unknown, string]>([
    [1.5, '1.5'],
    [-0, '-0'],
    [Number.NaN, 'NaN'],
    [12n, '12n'],
    [null, 'null'],
    [undefined, 'undefined'],
    [true, 'true'],
    ['a "b"\n<script>', String.raw`"a \"b\"\n<script>"`],
    [Symbol('s'), '[symbol "s"]'],
    [() => {}, '[function]'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Date(Number.NaN), '[invalid date]'],
    [/x/u, '[regexp]'],
    [Promise.resolve(1), '[promise]'],
    [[], '[]'],
    [{}, '{}'],
    [Object.assign([], { 0: 1, 2: 'x' }), '[1, empty, "x"]'],
    [{ a: 1, 'b-c': [true] }, '{ a: 1, "b-c": [true] }'],
    [new Map([[{ k: 1 }, 'v']]), 'Map { { k: 1 } → "v" }'],
    [new Set([1, 'x']), 'Set [1, "x"]'],
    [new Error('it failed'), 'Error { message: "it failed" }'],
    [Object.create(null), '{}'],
    [Buffer.from('{"id":1}'), String.raw`[8 bytes] "{\"id\":1}"`],
    [new Uint8Array([0, 255, 16]), '[3 bytes] 00 ff 10'],
    [new ArrayBuffer(4), '[4 bytes]'],
    [new Float64Array(2), '[16 bytes] 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00'],
  ])('shows %o', (item, text) => {
    expect(previewOf(item)).toBe(text);
  });

  it('writes an entry a line where they are long', () => {
    expect(previewOf({ first: 'a'.repeat(40), second: { third: 'b'.repeat(40) } })).toBe(
      `{\n  first: "${'a'.repeat(40)}",\n  second: { third: "${'b'.repeat(40)}" }\n}`,
    );
  });

  it('ends at a circle', () => {
    const item: Record<string, unknown> = { n: 1 };
    item['self'] = item;
    item['list'] = [item];
    expect(previewOf(item)).toBe('{ n: 1, self: [circular], list: [[circular]] }');
    const twice = { n: 1 };
    expect(previewOf([twice, twice])).toBe('[{ n: 1 }, { n: 1 }]');
  });

  it('calls nothing of the item: no getter, no trap, no toJSON, no toString, no iterator', () => {
    const called = vi.fn(throwing);
    const traps = Object.fromEntries(
      Object.getOwnPropertyNames(Reflect).map((name) => [name, called]),
    ) as ProxyHandler<object>;
    class Item {
      own = 1;
      toJSON = called;
      toString = called;
      [Symbol.toPrimitive] = called;
      [Symbol.iterator] = called;
      get [Symbol.toStringTag](): string {
        return called();
      }
      get prototypical(): number {
        return called();
      }
    }
    const item = Object.defineProperties(new Item(), {
      read: { enumerable: true, get: called },
      written: { enumerable: true, set: called },
    });
    expect(previewOf(item)).toBe(
      '{\n  own: 1,\n  toJSON: [function],\n  toString: [function],\n  read: [getter],\n  written: [getter]\n}',
    );
    expect(previewOf(new Proxy({}, traps))).toBe('[proxy]');
    expect(previewOf([new Proxy([], traps)])).toBe('[[proxy]]');
    const map = Object.assign(new Map([[1, 2]]), { entries: called, [Symbol.iterator]: called });
    expect(previewOf(map)).toBe('Map { 1 → 2 }');
    const date = Object.assign(new Date(0), { getTime: called, toISOString: called });
    expect(previewOf(date)).toBe('1970-01-01T00:00:00.000Z');
    expect(called).not.toHaveBeenCalled();
  });

  it('does not throw for what only looks like something', () => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    expect(previewOf(revoked.proxy)).toBe('[proxy]');
    expect(previewOf(Object.create(Map.prototype))).toBe('{}');
    expect(previewOf(Object.create(Date.prototype))).toBe('{}');
    const detached = new Uint8Array(8);
    structuredClone(detached, { transfer: [detached.buffer] });
    expect(previewOf(detached)).toBe('[cannot be shown]');
  });

  it('is short and quick, however large or deep the item is', () => {
    let deep: unknown = 'bottom';
    for (let n = 0; n < 100_000; n++) deep = [deep];
    const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`key${n}`, n]));
    const items = [
      Buffer.alloc(50 << 20, 'x').toString('latin1'),
      Array.from({ length: 500_000 }, () => 'y'.repeat(100)),
      new Array(4_000_000_000),
      new Uint8Array(50 << 20),
      new Set(Array.from({ length: 100_000 }, (_, n) => ({ n }))),
      1n << 1_000_000n,
      Array.from({ length: 60 }, () =>
        Array.from({ length: 60 }, () => Array.from({ length: 60 }, () => ({ a: 1 }))),
      ),
      deep,
      wide,
      { ['k'.repeat(1_000_000)]: 1 },
    ];
    for (const item of items) {
      const start = performance.now();
      expect(previewOf(item).length).toBeLessThanOrEqual(2000);
      // Most take less than a thousandth of it.
      expect(performance.now() - start).toBeLessThan(1000);
    }
    expect(previewOf(items[0])).toBe(`"${'x'.repeat(500)}"… 52,428,800 letters`);
    expect(previewOf(items[1])).toMatch(/^\[\n {2}"y{100}",\n/u);
    expect(previewOf(deep)).toBe('[[[[[[[…]]]]]]]');
    expect(previewOf([1, 2, 3], { letters: 5 })).toHaveLength(5);
  });
});
