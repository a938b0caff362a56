/** Positions to put a checkpoint store to: every kind of plain data (S15), and what is none. */

/** Of each kind those that are easily lost on the way: to JSON, to a database, to a file. */
export function plainPositions(): ReadonlyMap<string, unknown> {
  const bytes = Uint8Array.from({ length: 256 }, (_, value) => value);
  return new Map<string, unknown>([
    ['null', null],
    ['booleans', [true, false]],
    ['numbers', [0, -0, 1, -1.5, 0.1 + 0.2, 2 ** 53, Number.MAX_VALUE, Number.MIN_VALUE, 1e21]],
    ['no ordinary numbers', [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ['bigints', [0n, -1n, 2n ** 64n, -(2n ** 200n)]],
    ['strings', ['', ' ', 'null', '1', '1n', '2020-01-01T00:00:00.000Z', 'é', 'e\u0301', '店', '😀']],
    ['controls', ['\0', '\u0001', 'a\nb\r\n', '\u2028', '\ufeff', '"\\', '\u007f']],
    ['half a character', ['\ud83d', '\ude00', '\ude00\ud83d']],
    ['dates', [new Date(0), new Date(-1), new Date(1_700_000_000_123), new Date(8.64e15)]],
    ['bytes', [new Uint8Array(0), bytes, bytes.subarray(3, 7)]],
    ['arrays', [[], [[]], [[1], [2, [3]]]]],
    [
      'maps',
      [
        new Map(),
        new Map<unknown, unknown>([
          ['a', 1],
          [2, 'b'],
          [3n, new Map([[{}, []]])],
        ]),
      ],
    ],
    ['sets', [new Set(), new Set<unknown>(['a', 1, 1n, null, new Set([true])])]],
    ['objects', [{}, { a: { b: [{ c: null }] } }, { '': 0, ' ': 1, '0': 2, b: 3, a: 4 }]],
    ['keys of the language', [JSON.parse('{"__proto__":{"a":1},"constructor":2,"toJSON":3,"then":4}')]],
    ['objects without a prototype', [bare({}), bare({ a: bare({ b: 1n }), $: 'bigint' })]],
    [
      'what looks like an encoding',
      [{ $: 'bigint', value: '1' }, { type: 'Buffer', data: [1] }, { $date: 0 }],
    ],
    ['a position of a file', { path: 'a/b.log', offset: 2 ** 40, inode: 2n ** 63n, line: 7, head: bytes }],
    ['50 levels', nested(50)],
  ]);
}

/** About a megabyte, in lanes that are many and in one that is long. */
export function largePositions(): ReadonlyMap<string, unknown> {
  const lanes: [string, unknown][] = Array.from({ length: 5000 }, (_, lane) => [
    `partition ${lane}`,
    { offset: lane, key: 'k'.repeat(100) },
  ]);
  return new Map<string, unknown>([
    ...lanes,
    ['text', '店'.repeat(170_000)],
    ['bytes', new Uint8Array(2 ** 19)],
  ]);
}

/** Names of lanes and of pipelines that are easily taken for each other, or for something else. */
export const ODD_NAMES: readonly string[] = [
  ...['orders', 'Orders', 'ORDERS', 'orders ', ' orders', 'orders.1', 'orders.json', 'orders/', '/orders'],
  ...['a/b', 'a_b', 'a%2fb', 'a%2Fb', 'a\\b', 'a:b', 'a*b', 'a;b', "a'b", 'a"b', 'a--b', '$1', '%s'],
  ...['.', '..', '../up', '~', '-', '*', 'con', 'nul', 'null', 'undefined', '0', '00', '1e3'],
  ...['__proto__', 'constructor', 'toString', 'é', 'e\u0301', '店', '😀', '\u202eright', 'a\nb', 'a\tb'],
  ...['a', 'b'].map((end) => `${'very long '.repeat(100)}${end}`),
];

/** Names that not every medium can hold: kept apart, or refused. */
export const DOUBTFUL_NAMES: readonly string[] = ['', 'x\0y', 'x', '\ud800', '\ud801', 'x'.repeat(100_000)];

/** No plain data: a store keeps such a value as it is, or refuses it. */
export function doubtfulPositions(): ReadonlyMap<string, unknown> {
  const circle: Record<string, unknown> = { a: 1 };
  circle['self'] = [circle];
  const holes: unknown[] = [1, , 3]; // oxlint-disable-line no-sparse-arrays
  return new Map<string, unknown>([
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['undefined', { a: undefined }],
    ['an object of a class', new Offset(1)],
    ['a symbol as a key', { [Symbol.for('a')]: 1 }],
    ['an array with holes', holes],
    ['an array with a property', Object.assign([1], { a: 2 })],
    ['a circle', circle],
    ['a thousand levels', nested(1000)],
    ['an error', new RangeError('no')],
    ['a pattern', /a/g],
    ['a buffer', Buffer.from('abc')],
    ['other bytes', Float64Array.of(1.5, 2.5)],
    ['a promise', Promise.resolve(1)],
  ]);
}

class Offset {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** As `match.groups` of a regular expression is. */
function bare(properties: object): unknown {
  return Object.setPrototypeOf(properties, null);
}

function nested(levels: number): unknown {
  let value: unknown = 'the bottom';
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { inner: value };
  return value;
}
