/**
 * A file into Postgres while the process is killed with SIGKILL again and again, and the server as well: each row once.
 *
 * A few kills with every run of the tests; `pnpm crash:postgres` makes 120 of the process and 12 of the server.
 */

import { Random } from '@streamweld/testing';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { describeCrashes, EFFORT } from './harness.ts';

const ROWS = 30_000;
const KILLS = EFFORT > 0 ? 120 : 6;
const SERVER_KILLS = EFFORT > 0 ? 12 : 1;

describeCrashes('kill -9', 'program', ({ server, folder, query, spawn }) => {
  const input = join(folder, 'rows.csv');

  beforeAll(() => {
    writeFileSync(input, Array.from({ length: ROWS }, (_, id) => `${id},row ${id}\n`).join(''));
  });

  it(`of the process ${KILLS} times and of the server ${SERVER_KILLS} times`, {
    timeout: EFFORT > 0 ? 1_200_000 : 120_000,
  }, async () => {
    const seed = Number(process.env['STREAMWELD_SEED'] ?? Date.now() % 1_000_000);
    const random = new Random(seed);
    console.log(`seed ${seed}`);
    let kills = 0;
    let serverKills = 0;
    let whole = 0;
    /** How long a run takes that nobody kills: kills are spread over it. */
    let wholeMs = 400;
    for (let table = 0; kills < KILLS || serverKills < SERVER_KILLS; table++) {
      const name = `copied_${table}`;
      await query(`create table ${name} (id int, t text)`);
      // Several deaths on the way, then one run that may end.
      for (let death = 0; ; death++) {
        const { child, output, exited } = spawn(input, server.url, name);
        const start = performance.now();
        const isLast = death === 4 || kills >= KILLS;
        let timer: ReturnType<typeof setTimeout> | undefined;
        if (!isLast) timer = setTimeout(() => child.kill('SIGKILL'), 60 + random.next() * wholeMs);
        const isCrashed = serverKills < SERVER_KILLS && death === 1;
        if (isCrashed) {
          await new Promise((resolve) => setTimeout(resolve, 60 + random.next() * wholeMs));
          await server.crash();
          await server.restart();
          serverKills += 1;
        }
        const [code, signal] = await exited;
        clearTimeout(timer);
        if (signal === 'SIGKILL') {
          kills += 1;
          continue;
        }
        // It may have begun while the server was away: then it says so, and is started again.
        if (code === 1 && isCrashed && /SW_POSTGRES_(BUSY|UNREACHABLE|CONNECTION_LOST)/.test(output()))
          continue;
        expect(code, output()).toBe(0);
        if (death === 0 || isLast) wholeMs = Math.max(wholeMs, performance.now() - start);
        whole += 1;
        break;
      }
      expect(
        await query(
          `select count(*)::int as n, count(distinct id)::int as d, min(id) as least, max(id) as most from ${name}`,
        ),
      ).toEqual([{ n: ROWS, d: ROWS, least: 0, most: ROWS - 1 }]);
    }
    console.log(`${kills} kills of the process, ${serverKills} of the server, ${whole} runs to the end`);
  });
});
