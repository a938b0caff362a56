/** The rows that were there, and what changes: the same rows, with the same columns, from the same tables. */

import { afterEach, expect, it } from 'vitest';
import { following } from './follow.ts';
import { describeWithPostgres } from './service.ts';

describeWithPostgres('changes, and what was there before', (database) => {
  const query = (text: string) => database().query(text);
  const { follow, forget } = following(database);
  afterEach(forget);

  it('have the same columns: what the server works out itself is in neither', async () => {
    await query('create table sums (id int primary key, a int, b int generated always as (a * 2) stored)');
    await query('insert into sums values (1, 1)');
    const changes = await follow('sums', 2, {
      tables: ['sums'],
      during: () => query('insert into sums values (2, 2)'),
    });
    expect(changes.map((change) => change.new)).toEqual([
      { id: 1, a: 1 },
      { id: 2, a: 2 },
    ]);
  });

  it('hand out a row once, as one of its own table, where tables inherit', async () => {
    await query('create table parent (id int primary key); create table child () inherits (parent)');
    await query('alter table child add primary key (id)');
    await query('insert into parent values (1); insert into child values (2)');
    const changes = await follow('parent', 3, {
      tables: ['parent'],
      during: () => query('insert into child values (3)'),
    });
    expect(changes.map((change) => [change.table, change.new?.['id']])).toEqual([
      ['child', 2],
      ['parent', 1],
      ['child', 3],
    ]);
  });

  it('hand out the rows of a partitioned table, by its partitions and by its root', async () => {
    await query('create table parts (id int primary key) partition by range (id)');
    await query('create table parts_1 partition of parts for values from (0) to (10)');
    await query('create table parts_2 partition of parts for values from (10) to (20)');
    await query('insert into parts values (1), (11)');
    await query('create publication by_root for table parts with (publish_via_partition_root)');
    const tables = ['parts'];
    const during = () => query('insert into parts values ((select max(id) + 1 from parts))');
    for (const [name, expected] of [
      ['by_parts', ['parts_1 1', 'parts_2 11', 'parts_2 12']],
      ['by_root', ['parts 1', 'parts 11', 'parts 12', 'parts 13']],
    ] as const) {
      const changes = await follow(name, expected.length, { tables, during });
      expect(changes.map((change) => `${change.table} ${String(change.new?.['id'])}`)).toEqual(expected);
    }
  });

  it('leave out no row silently that row level security hides from the user', async () => {
    await query(`create table owned (id int primary key, who text); insert into owned values (1, 'me'), (2, 'you');
      alter table owned enable row level security; create policy mine on owned using (who = 'me');
      create role follower_of_owned login replication; grant select on owned to follower_of_owned;
      create publication owned for table owned`);
    const url = new URL(database().url);
    url.username = 'follower_of_owned';
    const run = (options: object) => follow('owned', 2, { connection: url.href, ...options });
    try {
      const refused = await run({}).catch((error: unknown) => error as Error);
      expect(refused).toMatchObject({ code: 'SW_POSTGRES_DENIED', isTransient: false });
      expect((refused as Error).message).toMatch(/owned.*bypassrls.*snapshot: false/i);
      expect(await query('select slot_name from pg_replication_slots')).toEqual([]);
      await query('alter role follower_of_owned bypassrls');
      expect((await run({})).map((change) => change.new?.['id'])).toEqual([1, 2]);
    } finally {
      await query('drop owned by follower_of_owned; drop role follower_of_owned');
    }
  });

  it('give JSON as it is written where that is asked for, with every digit and the null of JSON', async () => {
    await query('create table docs (id int primary key, j jsonb, k json, many json[], none json)');
    const insert = (id: number) =>
      query(`insert into docs values (${id}, '{"n": 12345678901234567890}', '1e400', array['null', '1.0']::json[]);
        insert into docs values (${id + 1}, 'null', 'null', null, null)`);
    await insert(1);
    const changes = await follow('docs', 4, {
      tables: ['docs'],
      json: 'text',
      during: () => insert(3),
    });
    const texts = { j: '{"n": 12345678901234567890}', k: '1e400', many: ['null', '1.0'], none: null };
    const nulls = { j: 'null', k: 'null', many: null, none: null };
    expect(changes.map((change) => change.new)).toEqual([
      { id: 1, ...texts },
      { id: 2, ...nulls },
      { id: 3, ...texts },
      { id: 4, ...nulls },
    ]);
  });

  it('refuse an option json that is neither', async () => {
    await expect(follow('docs', 1, { json: 'no' as 'text' })).rejects.toMatchObject({
      code: 'SW_OPTION_INVALID',
    });
  });
});
