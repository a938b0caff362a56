/**
 * Items to S3, exactly once and at least once, while the process is killed with SIGKILL again and again, and the server as
 * well, each time while items are in flight.
 *
 * A few kills with every run of the tests; `pnpm crash:s3` makes 60 of each process and 6 of the server.
 */

import { Random } from '@streamweld/testing';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildProgram, type Run } from '../../../../tools/services/program.ts';
import { isCommitted } from '../../src/ledger.ts';
import { describeWithS3 } from '../service.ts';
import { objectKeys, readLedger, readObject } from '../writing.ts';
import { kill, type Kills } from './killing.ts';
import { itemOf } from './numbered.ts';

const EFFORT = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 0);
const AIMS = EFFORT > 0 ? { process: 60, server: 6 } : { process: 4, server: 1 };
const TIMES = `${AIMS.process} times and its server ${AIMS.server} times`;
/** Items to begin with, and more of them each time it comes to the end. */
const ITEMS = 8000;
const TIMEOUT = EFFORT > 0 ? 1_800_000 : 240_000;

const folder = mkdtempSync(join(tmpdir(), 'streamweld-s3-crash-'));
const seed = Number(process.env['STREAMWELD_SEED'] ?? Date.now() % 1_000_000);
const random = new Random(seed);
beforeAll(() => console.log(`seed ${seed}`));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Range {
  readonly key: string;
  readonly from: number;
  readonly to: number;
}

describeWithS3('kill -9', (buckets) => {
  let program: (...args: string[]) => Run;
  beforeAll(async () => {
    program = await buildProgram(join(import.meta.dirname, 'copy.ts'), folder);
  });

  /** What a reader finds that keeps to the rule: of each object that counts, which items its name says it has. */
  async function committed(prefix: string): Promise<Range[]> {
    const keys = await buckets().keys(prefix);
    if (!keys.includes(`${prefix}ledger.json`)) return [];
    // First the ledger, then the listing: what it says is there by then.
    const ledger = await readLedger(buckets(), `${prefix}ledger.json`);
    return (await objectKeys(buckets(), prefix))
      .map((key) => {
        const [sequence, from, to] = (/(\d+)_(\d+)_(\d+)\.ndjson$/.exec(key) ?? []).slice(1).map(Number);
        return { key, sequence: sequence as number, from: from as number, to: to as number };
      })
      .filter(({ sequence }) => isCommitted(ledger, sequence))
      .toSorted((a, b) => a.from - b.from);
  }

  /** No gap and no overlap. Answers where they end. */
  function endOf(ranges: readonly Range[]): number {
    let at = 0;
    for (const { key, from, to } of ranges) {
      if (from !== at || to <= from)
        throw new Error(`${key} begins at ${from}, and what is before it ends at ${at}.`);
      at = to;
    }
    return at;
  }

  async function run(
    prefix: string,
    exactlyOnce: boolean,
    look: () => Promise<void>,
  ): Promise<[Kills, number]> {
    const { service, bucket } = buckets();
    let total = ITEMS;
    const start = (): Run =>
      program(
        JSON.stringify({
          exactlyOnce,
          endpoint: service.endpoint,
          credentials: service.credentials,
          bucket,
          prefix,
          total,
          folder: join(folder, 'checkpoints'),
        }),
      );
    const more = (): void => {
      total += ITEMS;
    };
    return [await kill({ aims: AIMS, random, service, start, more, look }), total];
  }

  it(`writes each item once while it is killed ${TIMES}`, { timeout: TIMEOUT }, async () => {
    const prefix = 'once/';
    let seen = 0;
    let looks = 0;
    let inTheMiddle = 0;
    const [kills, total] = await run(prefix, true, async () => {
      const end = endOf(await committed(prefix));
      // What counts is never taken back.
      expect(end).toBeGreaterThanOrEqual(seen);
      seen = end;
      looks += 1;
      const keys = await buckets().keys(prefix);
      const ledger =
        keys.includes(`${prefix}ledger.json`) && (await readLedger(buckets(), `${prefix}ledger.json`));
      if (ledger !== false && ledger.pending.length > 0) inTheMiddle += 1;
    });
    const ranges = await committed(prefix);
    const ledger = await readLedger(buckets(), `${prefix}ledger.json`);
    console.log(
      `exactly once: ${kills.process} kills of the process at work (${kills.other} others), ${kills.server} of the server, of which it survived ${kills.survived}; ` +
        `${looks} looks, ${inTheMiddle} of them in the middle of a write; ${total} items in ${ranges.length} objects, ${ledger.void.length} gaps in their numbers`,
    );
    expect(endOf(ranges)).toBe(total);
    let id = 0;
    for (const { key, to } of ranges) {
      for (const item of await readObject(buckets(), key)) {
        if (JSON.stringify(item) !== JSON.stringify(itemOf(id)))
          throw new Error(`${key} has not item ${id}.`);
        id += 1;
      }
      expect(id).toBe(to);
    }
    expect(await buckets().uploads(prefix)).toEqual([]);
    // What is void was taken away as well.
    expect(await objectKeys(buckets(), prefix)).toHaveLength(ranges.length);
    expect(kills.process).toBeGreaterThanOrEqual(AIMS.process);
    expect(kills.server).toBeGreaterThanOrEqual(AIMS.server);
    if (EFFORT > 0) expect(inTheMiddle).toBeGreaterThan(0);
  });

  it(`loses nothing where it writes at least once, and is killed ${TIMES}`, {
    timeout: TIMEOUT,
  }, async () => {
    const prefix = 'least/';
    const [kills, total] = await run(prefix, false, () => Promise.resolve());
    const times = new Uint32Array(total);
    const keys = await objectKeys(buckets(), prefix);
    for (const key of keys) {
      for (const item of await readObject(buckets(), key)) {
        if (JSON.stringify(item) !== JSON.stringify(itemOf(item.id)))
          throw new Error(`${key} has a torn item.`);
        times[item.id] = (times[item.id] ?? 0) + 1;
      }
    }
    const missing = [...times.keys()].filter((id) => times[id] === 0);
    console.log(
      `at least once: ${kills.process} kills of the process at work (${kills.other} others), ${kills.server} of the server, of which it survived ${kills.survived}; ` +
        `${total} items in ${keys.length} objects, ${missing.length} missing, ${times.filter((count) => count > 1).length} written again`,
    );
    expect(missing).toEqual([]);
    expect(await buckets().uploads(prefix)).toEqual([]);
    expect(kills.process).toBeGreaterThanOrEqual(AIMS.process);
    expect(kills.server).toBeGreaterThanOrEqual(AIMS.server);
  });
});
