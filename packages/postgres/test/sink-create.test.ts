/** Tables that a PostgresSink makes. */

import { ConcurrentPipeline } from '@streamweld/core';
import { expect, it } from 'vitest';
import { PostgresSink } from '../src/sink.ts';
import { describeWithPostgres } from './service.ts';

describeWithPostgres('the table that a PostgresSink makes', (database) => {
  it('is made once by sinks that begin at the same time', async () => {
    const rounds = 5;
    for (let round = 0; round < rounds; round++) {
      const table = `made_${round}`;
      const create = { id: 'serial primary key', n: 'int' };
      const writes = Array.from({ length: 8 }, (_, n) =>
        new ConcurrentPipeline(
          [{ n }],
          new PostgresSink({ connection: database().url, table, create }),
        ).run(),
      );
      await Promise.all(writes);
      expect(await database().query(`select count(*)::int as n from ${table}`)).toEqual([{ n: 8 }]);
    }
  });

  it('cannot be made in a schema that is not there', async () => {
    const sink = new PostgresSink({
      connection: database().url,
      schema: 'nowhere',
      table: 'made',
      create: { id: 'int' },
    });
    await expect(new ConcurrentPipeline([{ id: 1 }], sink).run()).rejects.toMatchObject({
      code: 'SW_POSTGRES_QUERY_INVALID',
      message: expect.stringMatching(/a schema does not exist .*"nowhere"/),
    });
  });

  it('is left as it is where it is there, by whoever may not create one', async () => {
    const role = `inserter_${new URL(database().url).pathname.slice(1)}`;
    await database().query(`create table there (id int);
      revoke create on schema public from public;
      create role ${role} login password 'inserter'; grant insert, select on there to ${role}`);
    const url = new URL(database().url);
    url.username = role;
    url.password = 'inserter';
    try {
      const create = { id: 'bigint' };
      await new ConcurrentPipeline(
        [{ id: 1 }],
        new PostgresSink({ connection: url.href, table: 'there', create }),
      ).run();
      expect(await database().query('select id from there')).toEqual([{ id: 1 }]);
    } finally {
      await database().query(`drop owned by ${role}; drop role ${role}`);
    }
  });
});
