/** Which columns of a row are written: those that its item has. */

import { collect, ConcurrentPipeline, type DeadLetter } from '@streamweld/core';
import { expect, it } from 'vitest';
import type { PostgresSinkOptions } from '../src/options.ts';
import { PostgresSink } from '../src/sink.ts';
import { describeWithPostgres } from './service.ts';

type Row = Record<string, unknown>;

describeWithPostgres('rows of a PostgresSink', (database) => {
  const write = async (items: readonly unknown[], options: Omit<PostgresSinkOptions<Row>, 'connection'>) => {
    const letters = collect<DeadLetter<unknown>>();
    const sink = new PostgresSink<Row>({ connection: database().url, ...options });
    await new ConcurrentPipeline(items as readonly Row[], sink).deadLetter(letters).run();
    return letters.items;
  };

  for (const mode of ['copy', 'insert', 'upsert'] as const) {
    const how = mode === 'upsert' ? { mode, key: 'id' } : { mode };

    it(`leaves out by ${mode} a column of a list whose property an item does not have`, async () => {
      const table = `listed_${mode}`;
      await database().query(
        `create table ${table} (id int primary key, path text default 'none', n int default 7)`,
      );
      class Hit {
        readonly id = 3;
        get path(): string {
          return 'from its class';
        }
      }
      const items = [{ id: 1 }, { id: 2, path: undefined, other: 1 }, new Hit(), { id: 4, path: 'x', n: 1 }];
      await write(items, { table, ...how, columns: ['id', 'path', 'n'] });
      await write([{ key: 5 }, { key: 6, where: 'y' }], {
        table,
        ...how,
        columns: { id: 'key', path: 'where', n: ({ key }) => key },
      });
      expect(await database().query(`select * from ${table} order by id`)).toEqual([
        { id: 1, path: 'none', n: 7 },
        { id: 2, path: null, n: 7 },
        { id: 3, path: 'from its class', n: 7 },
        { id: 4, path: 'x', n: 1 },
        { id: 5, path: 'none', n: 5 },
        { id: 6, path: 'y', n: 6 },
      ]);
    });
  }

  it('keeps by upsert what a row has in a column of a list that the item leaves out, also within a batch', async () => {
    await database().query('create table kept (id int primary key, v int, big text)');
    await database().query(`insert into kept values (1, 1, 'large')`);
    const items = [
      { id: 1, v: 2 },
      { id: 2, v: 1, big: 'large' },
      { id: 2, v: 2 },
    ];
    await write(items, { table: 'kept', mode: 'upsert', key: 'id', columns: ['id', 'v', 'big'] });
    expect(await database().query('select * from kept order by id')).toEqual([
      { id: 1, v: 2, big: 'large' },
      { id: 2, v: 2, big: 'large' },
    ]);
  });

  it('takes items of the same properties for alike, in whatever order they have them', async () => {
    await database().query('create table ordered (id int, path text)');
    // Each COPY is a statement of its own.
    await database().query(`create table copies (n int);
      create function counted() returns trigger language plpgsql as $$ begin insert into copies values (1); return null; end $$;
      create trigger counted after insert on ordered for each statement execute function counted()`);
    const items = Array.from({ length: 100 }, (_, id) =>
      id % 2 === 0 ? { id, path: 'a' } : { path: 'b', id },
    );
    await write(items, { table: 'ordered' });
    expect(await database().query('select count(*)::int as n from ordered where path is not null')).toEqual([
      { n: 100 },
    ]);
    expect(await database().query('select count(*)::int as n from copies')).toEqual([{ n: 1 }]);
  });

  it('writes the own properties of an item, whatever the one before it had', async () => {
    await database().query(`create table owned (id int, path text default 'none')`);
    const shared = { path: 'inherited' };
    const make = (row: object): object => Object.assign(Object.create(shared) as object, row);
    await write([make({ id: 1, path: 'own' }), make({ id: 2 }), { id: 3, path: 'own' }, make({ id: 4 })], {
      table: 'owned',
    });
    expect(await database().query('select * from owned order by id')).toEqual([
      { id: 1, path: 'own' },
      { id: 2, path: 'none' },
      { id: 3, path: 'own' },
      { id: 4, path: 'none' },
    ]);
  });

  it('does not take what every object has for a property of an item', async () => {
    await database().query(`create table common (id int, constructor text default 'none')`);
    await write([{ id: 1 }, { id: 2, constructor: 'own' }], {
      table: 'common',
      columns: ['id', 'constructor'],
    });
    expect(await database().query('select * from common order by id')).toEqual([
      { id: 1, constructor: 'none' },
      { id: 2, constructor: 'own' },
    ]);
  });

  it('refuses an item of which nothing would be written', async () => {
    await database().query('create table nothing (id int, path text)');
    const letters = await write([{}, { other: 1 }, null, { id: 1 }], {
      table: 'nothing',
      columns: ['id', 'path'],
    });
    expect(letters.map(({ error }) => error.message)).toEqual([
      expect.stringMatching(/^Row 0 .*it has none of the properties that its columns are taken from/),
      expect.stringMatching(/^Row \d .*it has none/),
      expect.stringMatching(/^Row \d .*it has none/),
    ]);
    expect(await database().query('select * from nothing')).toEqual([{ id: 1, path: null }]);
  });
});
