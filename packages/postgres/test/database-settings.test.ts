/** What a database is set to is its people's affair: values are read and written as if nothing were set. */

import { collect, ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import pg from 'pg';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Change } from '../src/changes.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { PostgresSource } from '../src/source.ts';
import { describeWithPostgres } from './service.ts';

type Row = Record<string, unknown>;

/** How values are written to the client, and what those that say too little are taken for. */
const SETTINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'nothing is set': {},
  'dates are German': {
    datestyle: 'German, DMY',
    intervalstyle: 'postgres_verbose',
    timezone: 'Asia/Kolkata',
    bytea_output: 'escape',
    extra_float_digits: '-15',
    standard_conforming_strings: 'off',
    client_encoding: 'LATIN1',
  },
  'intervals are those of the standard': {
    datestyle: 'SQL, MDY',
    intervalstyle: 'sql_standard',
    timezone: 'America/St_Johns',
    bytea_output: 'escape',
    extra_float_digits: '0',
    xmloption: 'document',
  },
};

const COLUMNS = `id int primary key, day date, at timestamptz, plain timestamp, clock timetz, gap interval, f8 float8, f4 float4,
  raw bytea, words text, days date[], times timestamptz[], gaps interval[], raws bytea[], floats float8[], doc jsonb, span tstzrange,
  pair day_and_bytes`;

/** As a server that nobody set anything for writes them, but for the time zone: UTC. */
const ROWS: readonly Row[] = [
  {
    id: 1,
    day: '2026-02-01',
    at: '2026-01-02 03:04:05.678901+00',
    plain: '2026-12-11 10:09:08.000007',
    clock: '03:04:05+05:30',
    gap: '-1 days -02:00:00',
    f8: 0.1 + 0.2,
    f4: 16_777_217.25,
    raw: new Uint8Array([0, 92, 39, 255, 92, 120]),
    words: "back\\slash 'quote' 漢字 é \\x41",
    days: ['2026-02-03', null, 'infinity'],
    times: ['2026-03-02 00:00:00+00', '0044-03-15 12:00:00+00 BC'],
    gaps: ['1 year 2 mons -3 days +04:05:06.7', '-1 years -2 mons'],
    raws: [new Uint8Array([92]), new Uint8Array()],
    floats: [1 / 3, 5e-324, null],
    doc: { t: '\\ 漢' },
    span: '["2026-02-01 00:00:00+00","2026-03-02 00:00:00+00")',
    pair: '(2026-02-01,"\\\\x00ff")',
  },
  {
    id: 2,
    day: '0044-03-15 BC',
    at: '-infinity',
    plain: '2026-02-01 00:00:00',
    clock: '23:59:59.999999-03:30',
    gap: '-1 days +02:03:04',
    f8: 1.7976931348623157e308,
    f4: Number.NaN,
    raw: new Uint8Array(),
    words: '',
    days: [],
    times: [],
    gaps: ['-00:00:01', '00:00:00'],
    raws: [],
    floats: [],
    doc: null,
    span: 'empty',
    pair: '(,)',
  },
  {
    ...Object.fromEntries(COLUMNS.split(/,\s+/).map((column) => [column.trim().split(' ')[0], null])),
    id: 3,
  },
].map(({ f4, ...row }: Row) => ({ ...row, f4: typeof f4 === 'number' ? Math.fround(f4) : f4 }));

/** Bytes as numbers, so that they can be compared wherever they are. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}

describeWithPostgres('settings of a database', (database) => {
  const query = (text: string) => database().query(text);
  const set = async (settings: Readonly<Record<string, string>>): Promise<void> => {
    const [{ name }] = (await query('select current_database() as name')) as [{ name: string }];
    await query(`alter database ${name} reset all`);
    for (const [setting, value] of Object.entries(settings))
      await query(`alter database ${name} set ${setting} to ${value.replace(/[^, ]+/g, "'$&'")}`);
  };
  const write = async (items: readonly Row[], table: string, mode: 'copy' | 'insert' | 'upsert') => {
    const how = mode === 'upsert' ? { mode, key: 'id' } : { mode };
    const sink = new PostgresSink<Row>({ connection: database().url, table, ...how });
    await new ConcurrentPipeline(items, sink).run();
  };

  beforeAll(() => query('create type day_and_bytes as (day date, bytes bytea)'));
  afterEach(() => set({}));

  describe.each(Object.entries(SETTINGS))('[fault 87] %s', (name, settings) => {
    const suffix = name.toLowerCase().replaceAll(' ', '_');

    it('a query reads what copy, insert and upsert wrote, and goes on behind its key', async () => {
      await query(`create table expected_${suffix} (${COLUMNS})`);
      await write(ROWS, `expected_${suffix}`, 'insert');
      await set(settings);
      for (const mode of ['copy', 'insert', 'upsert'] as const) {
        const table = `${mode}_${suffix}`;
        await query(`create table ${table} (${COLUMNS})`);
        await write(ROWS, table, mode);
        // To the server itself, in a session that nothing was set for, they are the same.
        expect(
          await query(`(table ${table} except table expected_${suffix}) union all
            (table expected_${suffix} except table ${table})`),
        ).toEqual([]);
        const rows = collect<Row>();
        const store = new MemoryCheckpointStore();
        const read = (resumeKey: string[]) => {
          const source = new PostgresSource<Row>({
            connection: database().url,
            query: `select * from ${table} where id < 3`,
            resumeKey,
          });
          return new ConcurrentPipeline(source, rows).checkpoint(store, resumeKey.join()).run();
        };
        await read(['id']);
        expect(plain(rows.items)).toEqual(plain(ROWS.slice(0, 2)));
        await read(['day', 'at', 'plain', 'id']);
        expect((await read(['day', 'at', 'plain', 'id'])).written).toBe(0);
        expect(rows.items).toHaveLength(4);
      }
    });

    it('the dates that a query itself names are those that they are without us', async () => {
      await set(settings);
      const client = new pg.Client(database().url);
      await client.connect();
      const { rows: expected } = await client.query(`select to_char('05/06/07'::date, 'YYYY-MM-DD') as day`);
      await client.end();
      const rows = collect<Row>();
      const source = new PostgresSource<Row>({
        connection: database().url,
        query: `select '05/06/07'::date as day`,
      });
      await new ConcurrentPipeline(source, rows).run();
      expect(rows.items).toEqual(expected);
    });

    it('a snapshot and a stream are of the rows that are published, and say the same', async () => {
      const table = `published_${suffix}`;
      await query(`create table ${table} (${COLUMNS})`);
      const version = Number((await query('show server_version_num'))[0]?.['server_version_num']);
      // A filter is text that the server wrote: a day, an interval and a time, as its settings say.
      const filter = `where (id < 3 and (day is null or day < '2026-02-03') and gap < '-1 day +03:00' and gap > '-1 day -04:00'
        and at < '2026-01-02 03:05:00+00')`;
      await query(
        `create publication ${table} for table ${table} ${version < 150_000 ? '' : filter} with (publish = 'insert')`,
      );
      await write(ROWS, table, 'copy');
      await set(settings);
      const changes: Change[] = [];
      const source = new PostgresChangeSource({
        connection: database().url,
        slot: table,
        publication: table,
      });
      const pipeline = new ConcurrentPipeline(source, (batch: readonly Change[]) => {
        changes.push(...batch);
      });
      const running = pipeline.run();
      const came = (count: number) =>
        Promise.race([expect.poll(() => changes.length, { timeout: 20_000 }).toBe(count), running]);
      const published = version < 150_000 ? ROWS : ROWS.slice(0, 2);
      await came(published.length);
      await query(`delete from ${table}`);
      await write(ROWS, table, 'copy');
      await came(2 * published.length);
      await pipeline.drain();
      await running;
      await query(`select pg_drop_replication_slot('${table}')`);
      expect(changes.map((change) => plain(change.new))).toEqual([...published, ...published].map(plain));
    });
  });
});
