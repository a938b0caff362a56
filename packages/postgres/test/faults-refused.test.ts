/** Rows that a server refuses whatever happens, by the numbers of the table of faults. */

import {
  collect,
  ConcurrentPipeline,
  type DeadLetter,
  from,
  MemoryCheckpointStore,
  range,
} from '@streamweld/core';
import { afterEach, expect, it } from 'vitest';
import { PostgresSink } from '../src/sink.ts';
import { describeWithPostgres } from './service.ts';
import { complete, counted, type Row, underFaults, watch } from './under-faults.ts';

describeWithPostgres('faults', (database) => {
  const { ids, nothingLeft, query, sink } = underFaults(database);
  afterEach(nothingLeft);

  it('82 a unique violation in a batch, exactly once: it is isolated, the rest is written once', async () => {
    await query('create table dupes (id int primary key, t text)');
    await query(`insert into dupes values (777, 'there')`);
    const letters = collect<DeadLetter<Row>>();
    const report = await new ConcurrentPipeline(counted(1000), sink({ table: 'dupes' }))
      .checkpoint(new MemoryCheckpointStore(), 'dupes')
      .deadLetter(letters)
      .run();
    expect([report.written, report.deadLettered]).toEqual([999, 1]);
    expect(letters.items[0]).toMatchObject({
      item: { id: 777 },
      error: { code: 'SW_POSTGRES_DATA_INVALID' },
    });
    expect(await ids('dupes')).toEqual(complete(1000));
  });

  it.each(['copy', 'insert', 'upsert'] as const)(
    '82 what the server refuses goes to the dead letter with the code of the server, as data: %s',
    async (mode) => {
      const table = `Refused by ${mode}`;
      await query(`create table "${table}" (id int primary key, n int not null, "E-mail" text constraint "one ""${mode}""" unique,
        t text, constraint short check (length(t) < 12));
        insert into "${table}" values (1000, 1, 'there', '')`);
      const at: Readonly<Record<number, object>> = {
        3: { 'E-mail': 'there' },
        40: { n: null },
        55: { n: 'secret-value' },
        90: { t: 'secret-value, long' },
      };
      const items = from(range(0, 100)).map((id) => ({
        id,
        n: 1,
        t: `row ${id}`,
        'E-mail': `${id}`,
        ...at[id],
      }));
      const letters = collect<DeadLetter<Row>>();
      const target = new PostgresSink<object>({
        connection: database().url,
        table,
        ...(mode === 'upsert' ? { mode, key: 'id' } : { mode }),
      });
      const report = await new ConcurrentPipeline(items, target).deadLetter(letters).run();
      expect([report.written, report.deadLettered]).toEqual([96, 4]);
      // As a file would hold them.
      const written = JSON.stringify(letters.items.map(({ item, error }) => ({ id: item.id, error })));
      expect(written).not.toContain('secret-value');
      const found = JSON.parse(written) as { id: number; error: DeadLetter['error'] }[];
      const schema = 'public';
      expect(
        found.toSorted((a, b) => a.id - b.id).map(({ id, error }) => [id, error.code, error.details]),
      ).toEqual([
        [3, 'SW_POSTGRES_DATA_INVALID', { sqlState: '23505', schema, table, constraint: `one "${mode}"` }],
        [40, 'SW_POSTGRES_DATA_INVALID', { sqlState: '23502', schema, table, column: 'n' }],
        [
          55,
          'SW_POSTGRES_DATA_INVALID',
          mode === 'copy' ? { sqlState: '22P02', table, column: 'n' } : { sqlState: '22P02' },
        ],
        [90, 'SW_POSTGRES_DATA_INVALID', { sqlState: '23514', schema, table, constraint: 'short' }],
      ]);
    },
  );

  it('82 with errorDetails: a letter quotes no other row', async () => {
    await query('create table quoted (id int, n int check (n < 1000))');
    const bad: Readonly<Record<number, unknown>> = { 10: 'one-of-two', 20: 'two-of-two', 25: 9_999_999_999 };
    const items = from(range(0, 30)).map((id) => ({ id, n: bad[id] ?? 1 }));
    const letters = collect<DeadLetter<{ id: number }>>();
    const target = new PostgresSink({ connection: database().url, table: 'quoted', errorDetails: true });
    const report = await new ConcurrentPipeline(items, target).deadLetter(letters).run();
    expect([report.written, report.deadLettered]).toEqual([27, 3]);
    const messages = new Map(letters.items.map(({ item, error }) => [item.id, error.message]));
    // Refused for one reason, so one error speaks of both.
    for (const id of [10, 20]) {
      expect(messages.get(id)).toContain('22P02');
      expect(messages.get(id)).not.toContain('of-two');
    }
    expect(messages.get(25)).toContain('9999999999');
  });

  /** What the server answers to whoever does not know better: the fault is there. */
  const answerOf = (text: string, values: readonly unknown[] = []): Promise<unknown> =>
    database()
      .query(text, values)
      .catch((error: unknown) => (error as { readonly code: unknown }).code);

  it('83 a key that comes twice in one upsert (21000): the last wins, also where only the server sees it', async () => {
    await query('create table twice (id numeric primary key, t text)');
    expect(
      await answerOf(`insert into twice values (1, 'a'), (1.0, 'b') on conflict (id) do update set t = 'c'`),
    ).toBe('21000');
    const items = Array.from({ length: 1000 }, (_, at) => ({ id: at % 100, t: `${at}` }));
    const letters = collect<DeadLetter<Row>>();
    const run = async (some: readonly object[]) => {
      const target = new PostgresSink<object>({
        connection: database().url,
        table: 'twice',
        mode: 'upsert',
        key: 'id',
      });
      const report = await new ConcurrentPipeline(some, target).bufferSize(10_000).deadLetter(letters).run();
      expect([report.written, report.retried, report.batches]).toEqual([some.length, 0, 1]);
    };
    await run(items);
    expect(await query('select id::int, t from twice order by id')).toEqual(items.slice(900));
    // As texts they differ.
    await run(['1', '1.0', '1.00', '2', '1.000'].map((id, at) => ({ id, t: `again ${at}` })));
    expect(await query(`select id::float8, t from twice where t like 'again%' order by id`)).toEqual([
      { id: 1, t: 'again 4' },
      { id: 2, t: 'again 3' },
    ]);
    expect(letters.items).toEqual([]);
  });

  it('84 NUL, and half of a surrogate pair: row and column are named, and nothing is stored as something else', async () => {
    await query('create table characters (id int, t text, j jsonb)');
    expect(await answerOf('select $1::text', ['a\0b'])).toBe('22021');
    expect(await answerOf('select $1::jsonb', ['"\\u0000"'])).toBe('22P05');
    expect(await answerOf('select $1::jsonb', ['"\\ud800"'])).toBe('22P02');
    expect(await answerOf('select $1::text as t', ['\ud800'])).toEqual([{ t: '\ufffd' }]);
    const bad = [{ t: 'a\0b' }, { t: '\ud800' }, { j: '"\\u0000"' }, { j: '"\\ud800"' }];
    /** What went to the dead letter, by id: where the sink saw it the column, else the server's code. */
    const refusedBy = async (json: 'value' | 'text') => {
      const letters = collect<DeadLetter<{ id: number }>>();
      const target = new PostgresSink<{ id: number }>({
        connection: database().url,
        table: 'characters',
        json,
      });
      const items = Array.from({ length: 100 }, (_, id) => {
        const { t = `row ${id}`, j = '"good"' }: { t?: string; j?: string } = bad[id - 50] ?? {};
        return { id, t, j: json === 'text' ? j : (JSON.parse(j) as unknown) };
      });
      const report = await new ConcurrentPipeline(items, target).deadLetter(letters).run();
      expect([report.written, report.deadLettered]).toEqual([96, 4]);
      return Object.fromEntries(
        letters.items.map(({ item, error: { details } }) => [
          item.id,
          details?.['sqlState'] ?? details?.['column'],
        ]),
      );
    };
    expect(await refusedBy('value')).toEqual({ 50: 't', 51: 't', 52: 'j', 53: 'j' });
    // What is given as JSON's text is the server's to read.
    expect(await refusedBy('text')).toEqual({ 50: 't', 51: 't', 52: '22P05', 53: '22P02' });
    expect(await query(`select * from characters where t like '%\ufffd%' or id between 50 and 53`)).toEqual(
      [],
    );
  });

  it.each(['insert', 'upsert', 'delete'] as const)(
    '85 more values than the parameters that a statement may have (08P01), in one write: %s',
    async (how) => {
      const table = `parameters_${how}`;
      const names = Array.from({ length: 8 }, (_, at) => `k${at}`);
      const count = 8192;
      const values = Array.from({ length: count * names.length }, (_, at) => at);
      const row = (at: number) => Object.fromEntries(names.map((name, column) => [name, at * 8 + column]));
      await query(
        `create table ${table} (${names.map((name) => `${name} int`).join()}, primary key (${names.join()}))`,
      );
      const lists = Array.from(
        { length: count },
        (_, at) => `(${names.map((_, c) => `$${at * 8 + c + 1}`).join()})`,
      );
      expect(await answerOf(`insert into ${table} values ${lists.join()}`, values)).toBe('08P01');
      if (how === 'delete') {
        const list = names.map((_, c) => `n * 8 + ${c}`).join();
        await query(`insert into ${table} select ${list} from generate_series(0, ${count}) as n`);
      }
      const target = new PostgresSink<object>({
        connection: database().url,
        table,
        ...(how === 'insert'
          ? { mode: 'insert' }
          : { mode: 'upsert', key: names, delete: () => how === 'delete' }),
      });
      const items = Array.from({ length: count }, (_, at) => row(at));
      const report = await new ConcurrentPipeline(items, target).bufferSize(2 * count).run();
      expect([report.written, report.batches]).toEqual([count, 1]);
      expect(await query(`select * from ${table} order by k0`)).toEqual(
        how === 'delete' ? [row(count)] : items,
      );
    },
  );

  it.each(
    (['copy', 'insert', 'upsert'] as const).flatMap((mode) => [
      [mode, 'drop column t', '42703'] as const,
      [mode, 'rename to elsewhere', '42P01'] as const,
    ]),
  )(
    '88 the table changes under the sink, %s, %s: a clear error, no part of a batch',
    async (mode, change, sqlState) => {
      await query(
        'drop table if exists elsewhere, changed; create table changed (id int primary key, t text)',
      );
      let isChanged = false;
      const target = sink({
        table: 'changed',
        batching: { maxItems: 100 },
        ...(mode === 'upsert' ? { mode, key: 'id' } : { mode }),
      });
      const watched = watch(target);
      const inner = target.write.bind(target);
      target.write = async (batch, context) => {
        if ((batch[0]?.id ?? 0) >= 1000 && !isChanged) {
          isChanged = true;
          await query(`alter table changed ${change}`);
        }
        return inner(batch, context);
      };
      const letters = collect<DeadLetter<Row>>();
      await expect(
        new ConcurrentPipeline(counted(1_000_000), target)
          .bufferSize(100)
          .retry({ attempts: 5 })
          .deadLetter(letters)
          .run(),
      ).rejects.toMatchObject({ code: 'SW_POSTGRES_QUERY_INVALID', sqlState, isTransient: false });
      expect(watched.errors).toHaveLength(1);
      expect(letters.items).toEqual([]);
      const table = change.startsWith('rename') ? 'elsewhere' : 'changed';
      expect(await ids(table)).toEqual(complete(watched.written));
      expect(watched.written).toBeGreaterThanOrEqual(1000);
    },
  );
});
