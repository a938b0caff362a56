/** Tables for the suites, each with a name of its own, and what a server does to those who use them. */

import type { Database } from './service.ts';

export interface Places {
  /** Makes a table from a query, with more columns and constraints; answers its name. */
  table(query: string, more?: string): Promise<string>;
  /** A connection that is refused. */
  denied(secret: string): string;
  /** The next statement that writes to the table fails, once, for a reason that passes. */
  interrupt(place: string): Promise<void>;
  /** Nobody can read or write the table until what is answered is called. */
  stall(place: string): Promise<() => Promise<void>>;
  /** Ends the connections of all sources, sinks and stores. */
  kill(): Promise<void>;
}

let tables = 0;

export function places(database: () => Database): Places {
  const query = (text: string) => database().query(text);
  return {
    async table(rows, more) {
      const name = `place_${tables++}`;
      await query(`create table ${name} as ${rows}`);
      if (more !== undefined)
        await query(
          `alter table ${name} ${more
            .split(', ')
            .map((part) => `add ${part}`)
            .join(', ')}`,
        );
      return name;
    },
    denied(secret) {
      const url = new URL(database().url);
      url.username = 'nobody_there';
      url.password = encodeURIComponent(secret);
      return url.href;
    },
    async interrupt(place) {
      await query(`drop sequence if exists tries_${place}; create sequence tries_${place};
        create or replace function once_${place}() returns trigger language plpgsql as $$ begin
          if nextval('tries_${place}') = 1 then raise exception 'once' using errcode = '40001'; end if; return null; end $$;
        create or replace trigger once after insert on ${place} for each statement execute function once_${place}()`);
    },
    async stall(place) {
      const client = await database().pool.connect();
      const ignore = (): void => {};
      client.on('error', ignore);
      await client.query(`begin; lock table ${place} in access exclusive mode`);
      let isLocked = true;
      return async () => {
        if (!isLocked) return;
        isLocked = false;
        await client.query('rollback');
        client.off('error', ignore);
        client.release();
      };
    },
    async kill() {
      await query(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name like 'streamweld%' and datname = current_database()",
      );
    },
  };
}
