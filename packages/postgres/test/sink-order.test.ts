/** An upsert of a batch leaves what its items leave one by one. */

import {
  collect,
  ConcurrentPipeline,
  type DeadLetter,
  from,
  MemoryCheckpointStore,
  range,
} from '@streamweld/core';
import { Random } from '@streamweld/testing';
import { expect, it } from 'vitest';
import { PostgresSink } from '../src/sink.ts';
import { describeWithPostgres } from './service.ts';

interface Row {
  readonly id: unknown;
  readonly email?: string | null;
  readonly n?: number | null;
  readonly gone?: boolean;
}

describeWithPostgres('order of a PostgresSink', (database) => {
  const sink = (table: string, columns?: readonly string[]) =>
    new PostgresSink<Row>({
      connection: database().url,
      table,
      mode: 'upsert',
      key: 'id',
      delete: ({ gone }) => gone === true,
      columns: columns ?? ['id', 'email', 'n'],
    });
  const write = async (items: readonly Row[], table: string) => {
    const letters = collect<DeadLetter<unknown>>();
    await new ConcurrentPipeline(items, sink(table)).deadLetter(letters).run();
    return letters.items;
  };
  const rowsOf = (table: string) =>
    database().query(`select id::text as id, email, n from ${table} order by id`);

  it('writes the last of a key in its own place: what it needs may have been freed before', async () => {
    await database().query(
      `create table freed (id int primary key, email text unique, n int); insert into freed values (1, 'x')`,
    );
    const items = [
      { id: 2, email: 'q' },
      { id: 1, email: 'z' },
      { id: 2, email: 'x' },
    ];
    await new ConcurrentPipeline(from(items), sink('freed')).run();
    expect(await rowsOf('freed')).toEqual([
      { id: '1', email: 'z', n: null },
      { id: '2', email: 'x', n: null },
    ]);
  });

  it('writes in parts what is refused as a whole though no row of it is, in one transaction', async () => {
    await database().query(
      `create table parted (id int primary key, email text unique, n int); insert into parted values (1, 'x')`,
    );
    const items = [
      { id: 1, email: 'z' },
      { id: 2, email: 'x' },
      { id: 1, email: 'w' },
    ];
    const letters = collect<DeadLetter<unknown>>();
    const report = await new ConcurrentPipeline(from(items), sink('parted')).deadLetter(letters).run();
    expect([report.written, letters.items]).toEqual([3, []]);
    expect(await database().query('select id, email, xmin::text as t from parted order by id')).toEqual([
      { id: 1, email: 'w', t: expect.stringMatching(/\d/) },
      { id: 2, email: 'x', t: expect.stringMatching(/\d/) },
    ]);
    expect(await database().query('select count(distinct xmin::text)::int as n from parted')).toEqual([
      { n: 1 },
    ]);
  });

  it('keeps the order of what the server alone knows to be one key', async () => {
    await database().query(
      `create table merged (id numeric primary key, email text unique, n int); insert into merged values (9, 'x')`,
    );
    await write(
      [
        { id: '5', email: 'a' },
        { id: '9.5', email: 'b' },
        { id: '9', email: 'c' },
        { id: '1.50', email: 'd' },
        { id: '9.50', email: 'e' },
        { id: '1.5', email: 'x' },
      ],
      'merged',
    );
    expect(await rowsOf('merged')).toEqual([
      { id: '1.5', email: 'x', n: null },
      { id: '5', email: 'a', n: null },
      { id: '9', email: 'c', n: null },
      { id: '9.50', email: 'e', n: null },
    ]);
  });

  const upper = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11';
  const spellings: readonly (readonly [type: string, one: unknown, same: unknown])[] = [
    ['uuid', upper, upper.toLowerCase()],
    ['uuid', `{${upper}}`, upper.replaceAll('-', '')],
    ['int', '07', 7],
    ['bigint', ' 7 ', '+7'],
    ['numeric', '1.0', '1.00'],
    ['numeric', '10', '1e1'],
    ['timestamptz', '2026-01-01T00:00:00Z', '2026-01-01 01:00:00+01'],
    ['interval', '1 day', '24 hours'],
    ['numeric(10, 2)', '1.001', '1.002'],
    ['timestamptz(0)', '2026-01-01T00:00:00.1Z', new Date(Date.UTC(2026, 0, 1, 0, 0, 0, 200))],
    ['char(3)', 'a', 'a  '],
    ['text collate caseless', 'A', 'a'],
  ];
  it.each(spellings)('deletes by a key of another spelling: %s, %s and %s', async (type, one, same) => {
    await database().query(`drop table if exists spelt;
      create collation if not exists caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table spelt (id ${type} primary key, email text, n int)`);
    await write(
      [
        { id: one, n: 1 },
        { id: same, gone: true },
      ],
      'spelt',
    );
    expect(await rowsOf('spelt')).toEqual([]);
    await write(
      [
        { id: one, gone: true },
        { id: same, n: 2 },
        { id: one, n: 3, email: 'x' },
        { id: same, n: 4 },
      ],
      'spelt',
    );
    expect(await rowsOf('spelt')).toMatchObject([{ email: 'x', n: 4 }]);
    await write(
      [
        { id: same, n: 5 },
        { id: one, gone: true },
        { id: same, n: 6 },
      ],
      'spelt',
    );
    expect(await rowsOf('spelt')).toMatchObject([{ email: null, n: 6 }]);
  });

  it.each([
    ['numeric', '1.0', '1.00'],
    ['numeric(10, 2)', '1.001', '1.002'],
    ['varchar(1)', 'a', 'a '],
    ['timestamptz(0)', '2026-01-01T00:00:00.1Z', '2026-01-01T00:00:00.2Z'],
    ['text collate caseless', 'A', 'a'],
  ])('writes the last of a key of another spelling: %s, %s and %s', async (type, one, same) => {
    await database().query(`drop table if exists spelt;
      create collation if not exists caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table spelt (id ${type} primary key, email text unique, n int)`);
    await write(
      [
        { id: one, n: 1, email: 'x' },
        { id: same, n: 2, email: 'y' },
        { id: one, n: 3, email: 'z' },
        { id: same, n: 4, email: 'x' },
      ],
      'spelt',
    );
    expect(await rowsOf('spelt')).toMatchObject([{ email: 'x', n: 4 }]);
  });

  it('refuses to delete by a key that is null or missing: nothing would be deleted', async () => {
    await database().query('create table keyless (id int unique, email text, n int)');
    const letters = await write(
      [{ id: null, gone: true }, { gone: true } as Row, { id: 1, n: 1 }, { id: null, n: 2 }],
      'keyless',
    );
    expect(letters.map(({ error }) => error.message)).toEqual([
      expect.stringMatching(/^Row 0 .*column "id".*null.* nothing would be deleted/),
      expect.stringMatching(/^Row \d .*column "id".*null.* nothing would be deleted/),
    ]);
    expect(await rowsOf('keyless')).toEqual([
      { id: '1', email: null, n: 1 },
      { id: null, email: null, n: 2 },
    ]);
  });

  it('deletes no row before what was written before it no longer refers to it', async () => {
    await database().query(`create table kinds (id int primary key, email text, n int default 7 references kinds on delete cascade);
      create table things (id int, kind int references kinds on delete cascade);
      insert into kinds values (1, 'parent', null), (2, 'child', 1); insert into things values (1, 2)`);
    await write(
      [
        { id: 2, n: null },
        { id: 1, gone: true },
        { id: 3, n: 2 },
      ],
      'kinds',
    );
    expect(await rowsOf('kinds')).toEqual([
      { id: '2', email: 'child', n: null },
      { id: '3', email: null, n: 2 },
    ]);
    expect(await database().query('select * from things')).toEqual([{ id: 1, kind: 2 }]);
  });

  it('wants the key among the columns', () => {
    expect(() => sink('freed', ['email', 'n'])).toThrow(/columns must be .*with the key.*id/);
  });

  it.each([1, 2, 3, 4])('leaves what its items leave one by one, whatever comes: seed %i', async (seed) => {
    const random = new Random(seed);
    const pick = <V>(values: readonly V[]): V => values[random.integer(0, values.length - 1)] as V;
    await database().query(`drop table if exists batched, single;
      create table batched (id numeric primary key, email text unique, n int default 7);
      create table single (like batched including all)`);
    const spell = (id: number) => pick([id, `${id}`, `${id}.0`, `0${id}`, ` ${id}`]);
    // By a model: only what is valid one by one.
    const emails = new Map<number, string | null>();
    const items: Row[] = [];
    while (items.length < 200) {
      const id = random.integer(1, 6);
      const taken = new Set([...emails].filter(([other]) => other !== id).map(([, email]) => email));
      const email = pick(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
      const kind = random.integer(1, 5);
      if (kind === 1) {
        items.push({ id: spell(id), gone: true });
        emails.delete(id);
      } else if (kind === 2) {
        items.push({ id: spell(id), n: random.integer(1, 99) });
        if (!emails.has(id)) emails.set(id, null);
      } else if (!taken.has(email)) {
        items.push(
          random.chance(0.5) ? { id: spell(id), email } : { id: spell(id), email, n: random.integer(1, 99) },
        );
        emails.set(id, email);
      }
    }
    for (let from = 0; from < items.length; from += 10) {
      const batch = items.slice(from, from + 10);
      expect(await write(batch, 'batched')).toEqual([]);
      const single = new ConcurrentPipeline(batch, sink('single')).bufferSize(1);
      await single.run();
      const after = await database().query('select id::float8 as id, email, n from batched order by id');
      const wanted = await database().query('select id::float8 as id, email, n from single order by id');
      expect(after, JSON.stringify(batch)).toEqual(wanted);
    }
  });

  it('writes so exactly once', async () => {
    await database().query(
      `create table once (id int primary key, email text unique, n int); insert into once values (1, 'x')`,
    );
    const items = [
      { id: 1, email: 'z' },
      { id: 2, email: 'x' },
      { id: 1, email: 'w' },
    ];
    const rows = from(range(0, items.length)).map((at) => items[at] as Row);
    await new ConcurrentPipeline(rows, sink('once')).checkpoint(new MemoryCheckpointStore(), 'once').run();
    expect(await rowsOf('once')).toMatchObject([{ email: 'w' }, { email: 'x' }]);
  });
});
