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
import { complete, counted, type Row, underFaults } from './under-faults.ts';

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

  it('88 the table changes under the sink: a clear error, no part of a batch', async () => {
    await query('create table changed (id int, t text)');
    const source = from(range(0, 1_000_000)).map((id) => ({ id, t: `row ${id}` }));
    let isChanged = false;
    const target = sink({ table: 'changed', batching: { maxItems: 100 } });
    const inner = target.write.bind(target);
    target.write = async (batch, context) => {
      if ((batch[0]?.id ?? 0) >= 1000 && !isChanged) {
        isChanged = true;
        await query('alter table changed drop column t');
      }
      return inner(batch, context);
    };
    await expect(new ConcurrentPipeline(source, target).bufferSize(100).run()).rejects.toMatchObject({
      code: 'SW_POSTGRES_QUERY_INVALID',
      sqlState: '42703',
    });
    const [{ n }] = (await query('select count(*)::int as n from changed')) as [{ n: number }];
    expect(n % 100).toBe(0);
    expect(n).toBeGreaterThanOrEqual(1000);
  });
});
