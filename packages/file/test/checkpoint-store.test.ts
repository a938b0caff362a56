/** FileCheckpointStore: the rules of a checkpoint store, and what only files can do wrong. */

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileCheckpointStore } from '@streamweld/file';
import { checkpointSuite } from '@streamweld/testing';
import { describe, expect, test } from 'vitest';
import { failureOf, testFolder } from './driving.ts';
import { faultyLayer, systemError } from './file-layer.ts';

checkpointSuite({ describe, test }, 'FileCheckpointStore', {
  prepare() {
    const folder = join(testFolder(), 'not/there/yet');
    return { open: () => new FileCheckpointStore(folder) };
  },
  openBroken() {
    const file = join(testFolder(), 'a file in its place');
    writeFileSync(file, '');
    return new FileCheckpointStore(file);
  },
});

function lanes(positions: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(positions));
}

/** A store of its own folder, with what lies in it. */
function makeStore(): { folder: string; store: FileCheckpointStore; files(): string[]; newest(): string } {
  const folder = testFolder();
  const files = (): string[] => readdirSync(folder).sort();
  return {
    folder,
    store: new FileCheckpointStore(folder),
    files,
    newest: () => join(folder, files().at(-1) ?? ''),
  };
}

describe('FileCheckpointStore, its files', () => {
  test('are two for a name: the newest and the one before', async () => {
    const { store, files } = makeStore();
    for (let position = 1; position <= 5; position += 1) await store.save('orders', lanes({ a: position }));
    expect(files()).toEqual(['orders.4.json', 'orders.5.json']);
    const run = await store.acquire('orders');
    for (let position = 1; position <= 5; position += 1) await run.save('orders', lanes({ a: position }));
    expect(files()).toEqual(['orders.10.json', 'orders.11.json']);
  });

  test('can be read by their owner alone, unless asked otherwise', async () => {
    const { store, newest, folder } = makeStore();
    await store.save('orders', lanes({ a: 1 }));
    expect(statSync(newest()).mode & 0o777).toBe(0o600);
    await new FileCheckpointStore(folder, { mode: 0o640 }).save('orders', lanes({ a: 1 }));
    expect(statSync(newest()).mode & 0o777).toBe(0o640);
  });

  test('have names that stay in the folder and apart on every file system', async () => {
    const { store, folder, files } = makeStore();
    const names = [
      '../up',
      '/etc/x',
      'A',
      'a',
      'nul',
      'x\0y',
      'x'.repeat(5000),
      'X'.repeat(5000),
      '\ud800',
      '\ud801',
    ];
    for (const name of names) await store.save(name, lanes({ name }));
    expect(files()).toHaveLength(names.length);
    expect(new Set(files().map((file) => file.toLowerCase())).size).toBe(names.length);
    for (const file of files()) expect(file).toMatch(/^[a-z0-9_%~-]{1,200}\.1\.json$/);
    expect(existsSync(join(folder, '../up.1.json'))).toBe(false);
    expect(files()).not.toContain('nul.1.json');
  });

  test('are JSON that a person can read', async () => {
    const { store, newest } = makeStore();
    await store.save('orders', lanes({ 'in.log': { offset: 12, record: 3 } }));
    expect(JSON.parse(readFileSync(newest(), 'utf8'))).toMatchObject({
      format: 1,
      pipeline: 'orders',
      version: 1,
      positions: [['in.log', { offset: 12, record: 3 }]],
    });
  });

  test('keep no temporary of a writer that was killed, once the name is taken over', async () => {
    const { store, folder, files } = makeStore();
    writeFileSync(join(folder, '.orders.1234.tmp'), 'half');
    writeFileSync(join(folder, '.other.1234.tmp'), 'half');
    await store.save('orders', lanes({ a: 1 }));
    await store.acquire('orders');
    expect(files()).toEqual(['.other.1234.tmp', 'orders.1.json', 'orders.2.json']);
  });

  test('may have anything between them', async () => {
    const { store, folder } = makeStore();
    await store.save('orders', lanes({ a: 1 }));
    mkdirSync(join(folder, 'orders.9.json'));
    for (const name of [
      'orders.json',
      'orders.x.json',
      'orders.07.json',
      'orders.8.json.bak',
      'orders',
      'notes.txt',
    ]) {
      writeFileSync(join(folder, name), 'garbage');
    }
    writeFileSync(join(folder, 'orders.99999999999999999999.json'), 'garbage');
    await store.save('orders', lanes({ a: 2 }));
    expect(await store.load('orders')).toEqual(lanes({ a: 2 }));
  });
});

describe('FileCheckpointStore, what is damaged', () => {
  const DAMAGES: readonly [string, (path: string) => void][] = [
    ['half of it', (path) => writeFileSync(path, readFileSync(path).subarray(0, 40))],
    ['all but its last byte', (path) => writeFileSync(path, readFileSync(path).subarray(0, -1))],
    ['zeros', (path) => writeFileSync(path, Buffer.alloc(200))],
    [
      'one digit that differs',
      (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('"a",2', '"a",3')),
    ],
    [
      'another checkpoint',
      (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('orders', 'sredro')),
    ],
    ['something that is no checkpoint', (path) => writeFileSync(path, '{"a":1}\n')],
  ];

  test.each(DAMAGES)('goes back to the version before where the newest holds %s', async (_what, damage) => {
    const { store, newest } = makeStore();
    await store.save('orders', lanes({ a: 1 }));
    await store.save('orders', lanes({ a: 2 }));
    damage(newest());
    expect(await store.load('orders')).toEqual(lanes({ a: 1 }));
    const run = await store.acquire('orders');
    expect(await run.load('orders')).toEqual(lanes({ a: 1 }));
    await run.save('orders', lanes({ a: 3 }));
    expect(await store.load('orders')).toEqual(lanes({ a: 3 }));
  });

  test.each(DAMAGES)(
    'says so where the only version holds %s, and guesses nothing',
    async (_what, damage) => {
      const { store, newest } = makeStore();
      await store.save('orders', lanes({ a: 2 }));
      damage(newest());
      const attempts: (() => Promise<unknown>)[] = [
        () => store.load('orders'),
        () => store.acquire('orders'),
        () => store.save('orders', lanes({ a: 3 })),
      ];
      for (const attempt of attempts) {
        const failure = await failureOf(attempt());
        expect(failure).toMatchObject({ code: 'SW_FILE_CHECKPOINT_DAMAGED', path: newest() });
      }
      expect(await store.load('other')).toBeUndefined();
    },
  );

  test('takes an empty file for a version that was begun and never written', async () => {
    const { store, folder } = makeStore();
    writeFileSync(join(folder, 'orders.1.json'), '');
    expect(await store.load('orders')).toBeUndefined();
    await store.save('orders', lanes({ a: 1 }));
    expect(await store.load('orders')).toEqual(lanes({ a: 1 }));
  });

  test('refuses what a later version of the package wrote, though there is an older file', async () => {
    const { store, folder } = makeStore();
    await store.save('orders', lanes({ a: 1 }));
    writeFileSync(join(folder, 'orders.2.json'), '{"format":2,"how":"who knows"}');
    const attempts: (() => Promise<unknown>)[] = [
      () => store.load('orders'),
      () => store.acquire('orders'),
      () => store.save('orders', lanes({ a: 3 })),
    ];
    for (const attempt of attempts) {
      expect((await failureOf(attempt())).code).toBe('SW_FILE_CHECKPOINT_NEWER');
    }
  });
});

describe('FileCheckpointStore, what a position may be', () => {
  test('gives back what JSON would change', async () => {
    const { store } = makeStore();
    const nested = Object.fromEntries([
      ['__proto__', 1],
      ['$', 'mine'],
      ['value', undefined],
    ]);
    const positions = lanes({
      bigint: 12345678901234567890n,
      date: new Date(123),
      'no date': new Date(Number.NaN),
      undefined,
      numbers: [-0, Number.NaN, Infinity, -Infinity, 0.1, 5e-324],
      map: new Map<unknown, unknown>([[{ a: 1n }, new Set([undefined, -0])]]),
      bytes: new Uint8Array([0, 1, 255]),
      nested,
      text: ['\ud800', '\0', '"', '\u2028', ''],
      null: null,
      '': 'a lane without a name',
      __proto__: 'a lane',
    });
    const run = await store.acquire('orders');
    await run.save('orders', positions);
    const loaded = await store.load('orders');
    expect(loaded).toStrictEqual(positions);
    expect(Object.hasOwn((loaded?.get('nested') ?? {}) as object, '__proto__')).toBe(true);
  });

  class Offset {
    readonly at = 1;
  }
  const circle: Record<string, unknown> = {};
  circle['again'] = circle;

  test.each<[string, unknown]>([
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['an object of a class', new Offset()],
    ['an object of a class', Buffer.from('x')],
    ['a symbol as a key', { [Symbol('x')]: 1 }],
    ['an array with holes', [1, , 2]], // oxlint-disable-line no-sparse-arrays
    ['something deeper than 200 levels', circle],
  ])('refuses %s, which would not come back', async (what, value) => {
    const { store, files } = makeStore();
    const failure = await failureOf(store.save('orders', lanes({ a: { deep: [value] } })));
    expect(failure).toMatchObject({ code: 'SW_POSITION_UNSTORABLE' });
    expect(failure.message).toContain(`A position holds ${what}`);
    expect(failure.message).toContain('lane "a".deep[0]');
    expect(files()).toEqual([]);
  });
});

describe('FileCheckpointStore and faults', () => {
  test('45 a sync of the folder that failed is final: nothing can be promised any more', async () => {
    const folder = testFolder();
    let fired = 0;
    let isSick = false;
    const client = faultyLayer({
      sync: (path) => {
        if (!isSick || path !== folder) return;
        fired += 1;
        throw systemError('EIO');
      },
    });
    const store = new FileCheckpointStore(folder, { client });
    const run = await store.acquire('orders');
    await run.save('orders', lanes({ a: 1 }));
    isSick = true;
    const failure = await failureOf(Promise.resolve(run.save('orders', lanes({ a: 2 }))));
    expect(failure).toMatchObject({ code: 'SW_FILE_SYNC_FAILED', cause: { code: 'EIO' } });
    isSick = false;
    expect(await failureOf(Promise.resolve(run.save('orders', lanes({ a: 3 }))))).toBe(failure);
    expect(fired).toBe(1);
    expect(client.open_).toBe(0);
  });

  test.each(['open', 'write', 'sync', 'rename', 'close'] as const)(
    '43 a save whose %s fails changes nothing, leaves nothing, and may be repeated',
    async (call) => {
      const folder = testFolder();
      let isFull = false;
      let fired = 0;
      const fail = (path: string): void => {
        if (!isFull || !path.endsWith('.tmp')) return;
        fired += 1;
        throw systemError('ENOSPC');
      };
      const client = faultyLayer({ [call]: fail });
      const store = new FileCheckpointStore(folder, { client });
      const run = await store.acquire('orders');
      await run.save('orders', lanes({ a: 1 }));
      const before = readdirSync(folder);
      isFull = true;
      const failure = await failureOf(Promise.resolve(run.save('orders', lanes({ a: 2 }))));
      expect(failure.code).toBe('SW_FILE_NO_SPACE');
      expect(readdirSync(folder)).toEqual(before);
      expect(await store.load('orders')).toEqual(lanes({ a: 1 }));
      isFull = false;
      await run.save('orders', lanes({ a: 3 }));
      expect(await store.load('orders')).toEqual(lanes({ a: 3 }));
      expect(fired).toBe(1);
      expect(client.open_).toBe(0);
    },
  );

  test('43 goes on where a write is short', async () => {
    const folder = testFolder();
    const client = faultyLayer({ write: async (_path, length) => Math.min(length, 7) });
    await new FileCheckpointStore(folder, { client }).save('orders', lanes({ a: 'x'.repeat(1000) }));
    expect(client.calls['write']).toBeGreaterThan(100);
    expect(await new FileCheckpointStore(folder).load('orders')).toEqual(lanes({ a: 'x'.repeat(1000) }));
  });

  // By the file layer: root, which containers run as, may write anywhere.
  test('48 says where it may not write', async () => {
    const folder = testFolder();
    const client = faultyLayer({
      open: (_path, flags) => {
        if (flags !== 'r') throw systemError('EACCES');
      },
    });
    const store = new FileCheckpointStore(folder, { client });
    expect((await failureOf(store.save('orders', lanes({ a: 1 })))).code).toBe('SW_FILE_DENIED');
  });

  test('refuses options and names that cannot work', async () => {
    expect(() => new FileCheckpointStore('')).toThrow('folder must be');
    expect(() => new FileCheckpointStore('x', { mode: 0o1000 })).toThrow('mode must be');
    expect(() => new FileCheckpointStore('x', { mod: 1 } as object)).toThrow('mod');
    const { store } = makeStore();
    await expect(store.load('')).rejects.toThrow('pipeline must be');
    const run = await store.acquire('orders');
    await expect(run.load('other')).rejects.toThrow('the name that was acquired');
    await expect(run.save('other', new Map())).rejects.toThrow('the name that was acquired');
  });
});
