/** What a sink is given that throws, or cannot become a value: the error names row and column, and no content of an item. */

import { collect, ConcurrentPipeline, type DeadLetter } from '@streamweld/core';
import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import type { PostgresSinkOptions } from '../src/options.ts';
import { PostgresSink } from '../src/sink.ts';
import { describeWithPostgres } from './service.ts';

type Row = Record<string, unknown>;

const MARK = 'item-m4rker';

describeWithPostgres('what a PostgresSink is given', (database) => {
  const write = async (items: readonly unknown[], options: Omit<PostgresSinkOptions<Row>, 'connection'>) => {
    const letters = collect<DeadLetter<unknown>>();
    const sink = new PostgresSink<Row>({ connection: database().url, name: 'given', ...options });
    await new ConcurrentPipeline(items as readonly Row[], sink).deadLetter(letters).run();
    return letters.items;
  };
  const idsOf = async (table: string) =>
    (await database().query(`select id from ${table} order by id`)).map(({ id }) => id);

  const circle: Row = {};
  circle['around'] = circle;
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];

  for (const mode of ['copy', 'insert', 'upsert'] as const) {
    const how = mode === 'upsert' ? { mode, key: 'id' } : { mode };

    it(`isolates by ${mode} an item for which a function throws, with what it threw as the cause`, async () => {
      const table = `thrown_${mode}`;
      await database().query(`create table ${table} (id int primary key, path text)`);
      const boom = new TypeError('boom');
      const items = [{ id: 1, url: { path: 'a' } }, { id: 2 }, { id: 3, url: { path: 'b' } }];
      const letters = await write(items, {
        table,
        ...how,
        columns: {
          id: 'id',
          path: ({ url }) => {
            if (url === undefined) throw boom;
            return (url as { path: string }).path;
          },
        },
      });
      expect(letters).toMatchObject([{ item: items[1], error: { code: 'SW_POSTGRES_DATA_INVALID' } }]);
      expect(letters[0]?.error).toMatchObject({ details: { column: 'path' } });
      expect(letters[0]?.error.message).toMatch(/^Row \d of the batch .*column "path".* threw/);
      expect(await idsOf(table)).toEqual([1, 3]);
    });

    it(`isolates by ${mode} an item whose getter throws`, async () => {
      const table = `got_${mode}`;
      await database().query(`create table ${table} (id int primary key, path text)`);
      const bad = {
        id: 2,
        get path(): string {
          throw new Error('boom');
        },
      };
      const letters = await write([{ id: 1, path: 'a' }, bad, { id: 3, path: 'c' }], { table, ...how });
      expect(letters.map(({ error }) => error.message)).toEqual([
        expect.stringMatching(/^Row \d of the batch .*column "path".* threw/),
      ]);
      expect(await idsOf(table)).toEqual([1, 3]);
    });

    it(`isolates by ${mode} what cannot be JSON, or would become another value in it`, async () => {
      const table = `json_${mode}`;
      await database().query(`create table ${table} (id int primary key, j jsonb, k json, js jsonb[])`);
      const items: Row[] = [
        { id: 0, j: { a: [1, null, undefined], b: undefined } },
        { id: 1, j: circle },
        {
          id: 2,
          j: {
            toJSON(): never {
              throw new Error('boom');
            },
          },
        },
        { id: 3, j: Number.NaN },
        { id: 4, j: { a: [Number.POSITIVE_INFINITY] } },
        { id: 5, k: { at: new Date(Number.NaN) } },
        { id: 6, js: [{ a: -Infinity }] },
        { id: 7, k: deep },
        { id: 8, j: () => 1 },
        { id: 9, j: { a: 1.5 } },
      ];
      const letters = await write(items, { table, ...how });
      expect(letters.map(({ item }) => (item as Row)['id'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      expect(
        letters.map(({ error }) => error.message.replace(/^Row \d of the batch cannot be written: /, '')),
      ).toEqual([
        expect.stringMatching(/^in column "j", .*JSON could not be made/),
        expect.stringMatching(/^in column "j", .*JSON could not be made/),
        expect.stringMatching(/^in column "j", .*NaN or an infinity/),
        expect.stringMatching(/^in column "j", .*NaN or an infinity/),
        expect.stringMatching(/^in column "k", .*date that is invalid/),
        expect.stringMatching(/^in column "js", .*NaN or an infinity/),
        expect.stringMatching(/^in column "k", .*JSON could not be made/),
        expect.stringMatching(/^in column "j", a function is nothing that JSON has/),
      ]);
      expect(await idsOf(table)).toEqual([0, 9]);
    });
  }

  it('has what was thrown as the cause, and fails the run with it where there is no dead letter', async () => {
    await database().query('create table caused (id int primary key, path text, j jsonb)');
    const boom = new TypeError('boom');
    const run = (item: Row, options: object) =>
      new ConcurrentPipeline(
        [item],
        new PostgresSink<Row>({ connection: database().url, table: 'caused', ...options }),
      ).run();
    const fail = (): never => {
      throw boom;
    };
    const key = { mode: 'upsert', key: 'id' } as const;
    await expect(run({ id: 1 }, { columns: { id: 'id', path: fail } })).rejects.toMatchObject({
      cause: boom,
    });
    await expect(run({ id: 1 }, { ...key, columns: { id: fail } })).rejects.toMatchObject({
      cause: boom,
      column: 'id',
    });
    await expect(run({ id: 1 }, { ...key, delete: fail })).rejects.toMatchObject({
      code: 'SW_POSTGRES_DATA_INVALID',
      message: expect.stringMatching(/^Row 0 of the batch .*the option delete threw/),
      failed: [0],
      retryable: false,
      cause: boom,
    });
    await expect(run({ id: 1, j: { toJSON: fail } }, {})).rejects.toMatchObject({ cause: boom, column: 'j' });
  });

  it('has what a pool of the user threw as the cause', async () => {
    const boom = new Error('no pool today.');
    const client = {
      connect: async (): Promise<never> => {
        throw boom;
      },
    };
    await expect(
      new ConcurrentPipeline([{ id: 1 }], new PostgresSink({ client, table: 'caused' })).run(),
    ).rejects.toMatchObject({ code: 'SW_POSTGRES_FAILED', cause: boom });
  });

  it('refuses what a function answers later, and lives on when that fails', async () => {
    await database().query('create table later (id int primary key, path text, j jsonb, b bytea)');
    const later = async (): Promise<never> => {
      throw new Error('boom');
    };
    const messagesOf = async (options: object): Promise<string[]> =>
      (await write([{ id: 1 }], { table: 'later', ...options })).map(({ error }) => error.message);
    for (const column of ['path', 'j', 'b']) {
      expect(await messagesOf({ columns: { id: 'id', [column]: later } })).toEqual([
        expect.stringMatching(new RegExp(`column "${column}", a promise`)),
      ]);
    }
    expect(await messagesOf({ mode: 'upsert', key: 'id', delete: later })).toEqual([
      expect.stringMatching(/the option delete answered a promise/),
    ]);
    expect(await idsOf('later')).toEqual([]);
  });

  it('tells of what an item is no more than its kind', async () => {
    await database().query('create table kinds (id int, b bytea, t text)');
    const letters = await write(
      [MARK, 4111, true, 12n, { b: MARK }, { b: 4111 }, { t: { [MARK]: MARK } }, { t: [MARK] }, { id: 1 }],
      { table: 'kinds' },
    );
    const messages = letters.map(({ error }) => error.message);
    expect(
      messages.map((message) => message.replace(/^Row \d of the batch cannot be written: /, '')),
    ).toEqual([
      expect.stringMatching(/^it is a string, and a row is an object/),
      expect.stringMatching(/^it is a number, and a row is an object/),
      expect.stringMatching(/^it is a boolean, and a row is an object/),
      expect.stringMatching(/^it is a bigint, and a row is an object/),
      expect.stringMatching(/^in column "b", a string is no Uint8Array/),
      expect.stringMatching(/^in column "b", a number is no Uint8Array/),
      expect.stringMatching(/^in column "t", an object cannot/),
      expect.stringMatching(/^in column "t", an array of 1 cannot/),
    ]);
    const all = letters.map(({ error }) => inspect(error, { depth: 9, showHidden: true })).join('\n');
    expect(all).not.toMatch(new RegExp(`${MARK}|4111`));
  });
});
