/** A source of changes that is ended in an awkward moment leaves nothing behind: neither a connection nor a slot in use. */

import { collect, ConcurrentPipeline, from } from '@streamweld/core';
import { afterEach, expect, it } from 'vitest';
import { Sessions } from '../src/client.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { SnapshotReader } from '../src/source-snapshot.ts';
import { describeWithPostgres } from './service.ts';

describeWithPostgres('changes, ended', (database) => {
  const query = (text: string) => database().query(text);
  const OURS = "application_name like 'streamweld%' and datname = current_database()";

  afterEach(async () => {
    await expect
      .poll(() => query(`select query from pg_stat_activity where ${OURS}`), { timeout: 10_000 })
      .toEqual([]);
    expect(await query('select slot_name from pg_replication_slots where active')).toEqual([]);
    await query(
      'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()',
    );
  });

  it('while a sink takes its time over rows of the snapshot', async () => {
    await query('create table waiting as select n as id from generate_series(1, 20000) as n');
    await query('alter table waiting add primary key (id)');
    const source = new PostgresChangeSource({
      connection: database().url,
      slot: 'waiting',
      publication: 'waiting',
      tables: ['waiting'],
    });
    const killing = new AbortController();
    let isWriting = (): void => {};
    const writing = new Promise<void>((resolve) => {
      isWriting = resolve;
    });
    const running = new ConcurrentPipeline(source, (_batch: readonly unknown[], { signal }) => {
      isWriting();
      return new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      });
    }).run({ signal: killing.signal });
    await Promise.race([writing, running]);
    // Its cursor is open, and nothing is asked of it: the buffer is full.
    await expect
      .poll(() =>
        query(`select 1 as n from pg_stat_activity where ${OURS} and query like '%waiting%' and
          wait_event = 'ClientRead' and now() - state_change > interval '100 ms' and backend_type = 'client backend'`),
      )
      .toEqual([{ n: 1 }]);
    killing.abort(new Error('killed'));
    await expect(running).rejects.toThrow(/^killed$/);
  });

  it('while it is opened, before it asks for the log', async () => {
    await query('create table opened (id int primary key)');
    const source = new PostgresChangeSource({
      connection: database().url,
      slot: 'opened',
      publication: 'opened',
      tables: ['opened'],
      snapshot: false,
    });
    const client = await database().pool.connect();
    try {
      await client.query('begin; lock table pg_publication in access exclusive mode');
      const killing = new AbortController();
      const running = new ConcurrentPipeline(source, () => {}).run({ signal: killing.signal });
      const ended = expect(running).rejects.toThrow(/^killed$/);
      await expect
        .poll(() => query(`select wait_event_type as waits from pg_stat_activity where ${OURS}`))
        .toEqual([{ waits: 'Lock' }]);
      killing.abort(new Error('killed'));
      await client.query('rollback');
      await ended;
    } finally {
      client.release(true);
    }
  });

  it.each([
    ['rows of the snapshot', true],
    ['changes', false],
  ])('when enough was taken of %s', async (_, snapshot) => {
    await query('drop table if exists taken; create table taken (id int primary key)');
    if (snapshot) await query('insert into taken select generate_series(1, 5000)');
    const source = new PostgresChangeSource({
      connection: database().url,
      slot: 'taken',
      publication: `taken_${snapshot}`,
      tables: ['taken'],
      snapshot,
    });
    const rows = collect<unknown>();
    const running = new ConcurrentPipeline(
      from(source)
        .take(3)
        .map((change) => change.new?.['id']),
      rows,
    ).run();
    if (!snapshot) {
      await expect
        .poll(() => query('select slot_name from pg_replication_slots where active'), { timeout: 10_000 })
        .toHaveLength(1);
      await query('insert into taken select generate_series(1, 5000)');
    }
    await running;
    expect(rows.items).toEqual([1, 2, 3]);
  });

  it('when it is paused, goes on, and is drained', async () => {
    await query('create table paused (id int primary key); insert into paused values (1)');
    const source = new PostgresChangeSource({
      connection: database().url,
      slot: 'paused',
      publication: 'paused',
      tables: ['paused'],
    });
    const seen: unknown[] = [];
    const pipeline = new ConcurrentPipeline(source, (batch) => {
      seen.push(...batch.map((change) => change.new?.['id']));
    });
    const running = pipeline.run();
    await Promise.race([running, expect.poll(() => seen).toEqual([1])]);
    await pipeline.pause();
    await query('insert into paused values (2)');
    pipeline.resume();
    await Promise.race([running, expect.poll(() => seen, { timeout: 10_000 }).toEqual([1, 2])]);
    await pipeline.pause();
    await pipeline.drain();
    await running;
  });

  it('says that the connection was lost, where its snapshot went with the one that exported it', async () => {
    const sessions = new Sessions({
      connection: database().url,
      client: undefined,
      max: 1,
      stage: 'gone',
      errorDetails: false,
    });
    const { signal } = new AbortController();
    try {
      await expect(
        new SnapshotReader([], undefined, 'value', 'gone').open(sessions, '00000003-0000001B-1', signal),
      ).rejects.toMatchObject({ code: 'SW_POSTGRES_CONNECTION_LOST', isTransient: true });
    } finally {
      await sessions.close();
    }
  });
});
