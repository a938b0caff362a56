/** A run of a change source that ends by itself: with so many changes, or with an error. */

import { from } from '@streamweld/core';
import { expect } from 'vitest';
import type { PostgresChangeSourceOptions } from '../src/change-options.ts';
import type { Change } from '../src/changes.ts';
import { PostgresChangeSource } from '../src/source-changes.ts';
import type { Database } from './service.ts';

export interface Followed {
  /** Follows with a slot and a publication of that name, until so many changes came. */
  follow(
    name: string,
    count: number,
    options?: Partial<PostgresChangeSourceOptions> & {
      /** Called once, when the first change came. */
      readonly during?: () => Promise<unknown>;
    },
  ): Promise<Change[]>;
  /** Drops the slots and publications of this database. */
  forget(): Promise<void>;
}

export function following(database: () => Database): Followed {
  const query = (text: string) => database().query(text);
  return {
    async follow(name, count, { during, ...options } = {}) {
      const source = new PostgresChangeSource({
        connection: database().url,
        slot: name,
        publication: name,
        ...options,
      });
      const changes: Change[] = [];
      let acting: Promise<unknown> | undefined;
      for await (const change of from(source)) {
        changes.push(change);
        acting ??= during?.();
        if (changes.length >= count) break;
      }
      await acting;
      return changes;
    },
    async forget() {
      // A server that is busy takes a moment to see that a run has left.
      await expect
        .poll(
          () =>
            query(
              'select slot_name from pg_replication_slots where active and database = current_database()',
            ),
          { timeout: 10_000 },
        )
        .toEqual([]);
      await query(
        'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()',
      );
      for (const { name } of await query('select quote_ident(pubname) as name from pg_publication'))
        await query(`drop publication ${name as string}`);
    },
  };
}
