/**
 * Changes of a table into another while the process that follows them is killed with SIGKILL, and the server as well: the copy
 * equals the table.
 *
 * A few kills with every run of the tests; `pnpm crash:postgres` makes 60 of the process and 10 of the server.
 */

import { Random } from '@streamweld/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { describeCrashes, EFFORT } from './harness.ts';

const KILLS = EFFORT > 0 ? 60 : 5;
const SERVER_KILLS = EFFORT > 0 ? 10 : 1;
const ROWS = 5000;

/** What a run ends with whose server died, or was not there yet. */
const AWAY = /SW_POSTGRES_(BUSY|UNREACHABLE|CONNECTION_LOST|OUTCOME_UNKNOWN)/;

describeCrashes('kill -9 of who follows changes', 'follow', ({ server, query, spawn }) => {
  it(`${KILLS} times, and of the server ${SERVER_KILLS} times`, {
    timeout: EFFORT > 0 ? 1_200_000 : 120_000,
  }, async () => {
    const seed = Number(process.env['STREAMWELD_SEED'] ?? Date.now() % 1_000_000);
    const random = new Random(seed);
    console.log(`seed ${seed}`);
    const some = (most: number): number => Math.floor(random.next() * most);
    await query(`create table live (id int primary key, n int not null);
      create table live_copy (like live including indexes);
      insert into live select n, 0 from generate_series(1, ${ROWS}) as n`);

    let changed = 0;
    let isOver = false;
    const writing = (async () => {
      for (let round = 1; !isOver; round++) {
        const from = some(ROWS);
        const count = 1 + some(300);
        const statement = [
          `update live set n = n + 1 where id between ${from} and ${from + count}`,
          `delete from live where id between ${from} and ${from + count}`,
          `insert into live select n, -${round} from generate_series(${from}, ${from + count}) as n on conflict do nothing`,
          `begin; update live set n = ${round} where id between ${from} and ${from + count};
           update live set id = id + 100000 where id = ${from}; commit`,
        ][round % 4] as string;
        try {
          await query(statement);
          changed += count;
        } catch (error) {
          // The server is away, or the other row is there already.
          if ((error as { code?: string }).code !== '23505') await sleep(20);
        }
      }
    })();

    let kills = 0;
    let serverKills = 0;
    for (;;) {
      const isLast = kills >= KILLS && serverKills >= SERVER_KILLS;
      if (isLast) {
        isOver = true;
        await writing;
        await query('insert into live values (-1, 0)');
      }
      const { child, output, exited } = spawn(server.url, 'live');
      const isCrash = !isLast && serverKills < SERVER_KILLS && random.next() < 0.3;
      if (!isLast) {
        // Until it is killed it has to have got somewhere, now and then: its start alone takes a quarter of a second.
        await Promise.race([exited, sleep(150 + random.next() * 900)]);
        if (isCrash) {
          await server.crash();
          await server.restart();
          serverKills += 1;
          // It may only have come to the server when that was there again: then it goes on for ever.
          await Promise.race([exited, sleep(1000)]);
        }
        child.kill('SIGKILL');
      }
      const [code, signal] = await exited;
      if (signal === 'SIGKILL') kills += 1;
      else if (isCrash) expect([code, AWAY.test(output())], output()).toEqual([1, true]);
      else {
        expect([isLast, code], output()).toEqual([true, 0]);
        break;
      }
    }
    const differing = (one: string, other: string): Promise<unknown> =>
      query(`select count(*)::int as n, min(id) from (table ${one} except table ${other}) as rows`);
    const none = [{ n: 0, min: null }];
    expect([await differing('live', 'live_copy'), await differing('live_copy', 'live')]).toEqual([
      none,
      none,
    ]);
    console.log(`${kills} kills of the process, ${serverKills} of the server, about ${changed} changes`);
    await query(`select pg_drop_replication_slot('live')`);
  });
});
