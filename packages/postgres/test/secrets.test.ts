/** No content of an item and no secret is in an error, wherever one looks. */

import { ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { PostgresCheckpointStore } from '../src/checkpoint-store.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import { PostgresNotificationSource } from '../src/source-notifications.ts';
import { PostgresSource } from '../src/source.ts';
import { describeWithPostgres } from './service.ts';

const PASSWORD = 'pl4nted-p4ssword';
const MARK = 'item-m4rker';

/** Everything that a person or a log may see of an error. */
function everything(error: unknown): string {
  const seen: string[] = [inspect(error, { depth: 20, showHidden: true, getters: true })];
  for (
    let at = error as { cause?: unknown; stack?: string; message?: string } | undefined;
    at instanceof Error;
  ) {
    seen.push(String(at.message), String(at.stack), JSON.stringify(at), String(at));
    at = at.cause as typeof at;
  }
  return seen.join('\n');
}

describeWithPostgres('errors', (database) => {
  const failures = (): Record<string, () => unknown> => {
    const bad = (change: (url: URL) => void): string => {
      const url = new URL(database().url);
      url.password = PASSWORD;
      change(url);
      return url.href;
    };
    const closed = bad((url) => (url.port = '1'));
    const nobody = bad((url) => (url.username = 'nobody_there'));
    const nowhere = bad((url) => (url.pathname = '/no_database'));
    const good = bad(() => {});
    const reading = (connection: string, query: string) =>
      new ConcurrentPipeline(new PostgresSource({ connection, query }), () => {}).run();
    const writing = (item: object, options: object = {}) =>
      new ConcurrentPipeline(
        [item],
        new PostgresSink<object>({ connection: good, table: 'strict', ...options }),
      )
        .checkpoint(new MemoryCheckpointStore(), 'secrets')
        .run();
    return {
      'nobody listens': () => reading(closed, 'select 1'),
      'no such user': () => reading(nobody, 'select 1'),
      'no such database': () => reading(nowhere, 'select 1'),
      'no URL': () => new PostgresSource({ connection: `mysql://u:${PASSWORD}@h/d`, table: 't' }),
      'a broken URL': () =>
        new PostgresSource({ connection: `postgres://u:${PASSWORD}@h:port/d`, table: 't' }),
      'a URL as client': () =>
        new PostgresSink({ client: `postgres://u:${PASSWORD}@h/d` as never, table: 't' }),
      both: () => new PostgresSink({ connection: good, client: {} as never, table: 't' }),
      'a misspelt option': () => new PostgresSink({ connection: { pasword: PASSWORD } as never, table: 't' }),
      'a value that is no number': () => writing({ n: MARK }),
      'a value that is no number, inserted': () => writing({ n: MARK }, { mode: 'insert' }),
      'a check': () => writing({ t: `${MARK} long` }),
      'a unique key': () => writing({ u: MARK }),
      'a unique key, inserted': () => writing({ u: MARK }, { mode: 'insert' }),
      NUL: () => writing({ t: `${MARK}\0` }),
      'an object for a text': () => writing({ t: { [MARK]: MARK } }),
      'a trigger that says it': () => writing({ t: `${MARK}!` }),
      'a cast in a query': () => reading(good, `select u::int from strict`),
      'a cast of a value': () =>
        new ConcurrentPipeline(
          new PostgresSource({ connection: good, query: 'select $1::int', values: [MARK] }),
          () => {},
        ).run(),
      'a position': async () => {
        const source = new PostgresSource({ connection: good, query: 'select 1 as id', resumeKey: 'id' });
        const { signal } = new AbortController();
        try {
          await source.open({ positions: new Map([['', { key: [MARK], types: [23] }]]), signal } as never);
        } finally {
          await source.close();
        }
      },
      changes: () =>
        new ConcurrentPipeline(
          new PostgresChangeSource({ connection: nobody, slot: 's', publication: 'p' }),
          () => {},
        ).run(),
      notifications: () =>
        new ConcurrentPipeline(
          new PostgresNotificationSource({ connection: nowhere, channel: 'c' }),
          () => {},
        ).run(),
      'a store': async () => {
        await using store = new PostgresCheckpointStore({ connection: nobody });
        await store.load('x');
      },
    };
  };

  it('hold neither the password nor an item', async () => {
    await database().query(`create table strict (n int, t text check (length(t) < 15), u text unique);
      insert into strict (u) values ('${MARK}');
      create function tell() returns trigger language plpgsql as $$ begin
        if new.t like '%!' then raise exception 'I saw %', new.t; end if; return new; end $$;
      create trigger tell before insert on strict for each row execute function tell()`);
    for (const [name, fail] of Object.entries(failures())) {
      let error: unknown;
      try {
        await fail();
      } catch (thrown) {
        error = thrown;
      }
      expect(error, name).toBeInstanceOf(Error);
      const text = everything(error);
      expect(text.includes(PASSWORD), `${name}: the password in ${text}`).toBe(false);
      expect(text.includes(MARK), `${name}: the item in ${text}`).toBe(false);
    }
  });
});
