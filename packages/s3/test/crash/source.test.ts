/**
 * Objects into a file, exactly once, while the process that reads them is killed with SIGKILL again and again, and the server
 * as well; and with `after: 'delete'`, where what was deleted too early could never be read again.
 *
 * A few kills with every run of the tests; `pnpm crash:s3` makes 30 of each process and 3 of the server.
 */

import { Random } from '@streamweld/testing';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildProgram, type Run } from '../../../../tools/services/program.ts';
import { describeWithS3 } from '../service.ts';
import { kill } from './killing.ts';
import { bodyOf, keyOf, type Line, linesOf } from './objects.ts';

const EFFORT = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 0);
const AIMS = EFFORT > 0 ? { process: 30, server: 3 } : { process: 2, server: 1 };
const TIMES = `${AIMS.process} times and its server ${AIMS.server} times`;
/** Objects to begin with, and more of them each time it comes to the end. */
const OBJECTS = 40;
const TIMEOUT = EFFORT > 0 ? 1_800_000 : 240_000;

const folder = mkdtempSync(join(tmpdir(), 'streamweld-s3-crash-source-'));
const seed = Number(process.env['STREAMWELD_SEED'] ?? Date.now() % 1_000_000);
const random = new Random(seed);
beforeAll(() => console.log(`seed ${seed}`));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWithS3('kill -9 of who reads', (buckets) => {
  let program: (...args: string[]) => Run;
  beforeAll(async () => {
    program = await buildProgram(join(import.meta.dirname, 'read.ts'), folder);
  });

  it.each([
    { order: 'listed', isDeleted: false },
    { order: 'ready', isDeleted: false },
    { order: 'listed', isDeleted: true },
    { order: 'ready', isDeleted: true },
  ] as const)(
    `reads each item once ($order, deleted afterwards: $isDeleted) while it is killed ${TIMES}`,
    { timeout: TIMEOUT },
    async ({ order, isDeleted }) => {
      const name = `${order}-${isDeleted ? 'deleted' : 'kept'}`;
      const [prefix, own] = [`${name}/`, join(folder, name)];
      mkdirSync(own);
      const { service, bucket } = buckets();
      let objects = 0;
      let total = 0;
      const more = async (): Promise<void> => {
        for (const end = objects + OBJECTS; objects < end; objects += 1) {
          await buckets().put(prefix + keyOf(objects), bodyOf(objects));
          total += linesOf(objects).length;
        }
      };
      const linesInFile = (): Line[] =>
        readFileSync(join(own, 'out.ndjson'), { encoding: 'utf8', flag: 'a+' })
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Line);
      /** Of those that were put: first what is not there any more, and then what was written by then. */
      const gone = async (): Promise<number[]> => {
        const there = new Set(await buckets().keys(prefix));
        return Array.from({ length: objects }, (_, object) => object).filter(
          (object) => !there.has(prefix + keyOf(object)),
        );
      };
      let looks = 0;
      const look = async (): Promise<void> => {
        const deleted = await gone();
        if (!isDeleted) return expect(deleted).toEqual([]);
        const counts = new Map<number, number>();
        for (const { object } of linesInFile()) counts.set(object, (counts.get(object) ?? 0) + 1);
        for (const object of deleted) {
          if ((counts.get(object) ?? 0) < linesOf(object).length)
            throw new Error(`Object ${object} is deleted, and not all of it was written.`);
        }
        if (deleted.length > 0 && deleted.length < objects) looks += 1;
      };
      const start = (): Run =>
        program(
          JSON.stringify({
            endpoint: service.endpoint,
            credentials: service.credentials,
            bucket,
            prefix,
            order,
            isDeleted,
            total,
            folder: own,
          }),
        );
      await more();
      const kills = await kill({ aims: AIMS, random, service, start, more, look });

      const due = Array.from({ length: objects }, (_, object) => linesOf(object)).flat();
      const written = linesInFile();
      const remaining = objects - (await gone()).length;
      console.log(
        `${name}: ${kills.process} kills of the process at work (${kills.other} others), ${kills.server} of the server, of which it survived ${kills.survived}; ` +
          `${due.length} items of ${objects} objects, ${written.length} in the file, ${remaining} objects left, ${looks} looks in the middle of deleting`,
      );
      // As ready, each object is in order, and they are mixed.
      if (order === 'ready') written.sort((a, b) => a.object - b.object);
      expect(written.length).toBe(due.length);
      const wrong = written.findIndex((line, at) => JSON.stringify(line) !== JSON.stringify(due[at]));
      expect(wrong, `what is read is another item from ${wrong} on`).toBe(-1);
      if (!isDeleted) expect(remaining).toBe(objects);
      // One that was killed between keeping a position and deleting: as listed, only the last is caught up with.
      else if (order === 'ready') expect(remaining).toBe(0);
      else expect(remaining).toBeLessThan(objects);
      expect(kills.process).toBeGreaterThanOrEqual(AIMS.process);
      expect(kills.server).toBeGreaterThanOrEqual(AIMS.server);
    },
  );
});
