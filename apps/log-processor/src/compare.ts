/** The same work done one after the other, and by a pipeline: what it gains on this machine, with these lines. */

import { ConcurrentPipeline } from '@streamweld/core';
import type { Check } from './checks.ts';
import { LogSource } from './log-source.ts';
import type { ReadLog } from './logs.ts';
import { countOf, rate, seconds, whole } from './numbers.ts';
import { parsed, requestsTable, ROWS_AT_ONCE } from './pipeline.ts';
import type { Stage } from './stage.ts';

/** Of larger logs only so many lines, and smaller ones so often, that each way writes about as many. */
const LINES = 100_000;
/** Fewer take so little time that what is measured is anything else. */
const LEAST_LINES = 2_000;
const MOST_TURNS = 10;
/** Connections that write at once, where the order does not matter. */
const WRITERS = 2;

interface Told {
  readonly lines: readonly string[];
  readonly check?: Check;
}

export async function compare(logs: readonly ReadLog[], { database, shutdown }: Stage): Promise<Told> {
  const there = logs.flatMap(({ path, limit, file }) => (path === undefined ? [] : [{ path, limit, file }]));
  const paths = there.map(({ path }) => path);
  const [{ rows } = { rows: 0 }] = await database.query<{ rows: number }>(
    'select count(*)::float8 as rows from requests',
  );
  if (rows < LEAST_LINES || paths.length === 0)
    return { lines: [`One after the other is compared from ${countOf(LEAST_LINES, 'request')} on.`] };
  const turns = Math.min(MOST_TURNS, Math.max(3, Math.ceil(LINES / rows)));
  const [loop, pipeline] = [new Way(), new Way()];
  await database.makeScratch();
  // By turns, so that both have the same of whatever else the machine does. The first of each only warms up.
  for (let turn = 0; turn <= turns && !shutdown.isWanted; turn++) {
    const isCounted = turn > 0;
    await loop.time(isCounted, () => oneAfterTheOther(paths, database.url, shutdown.signal));
    await pipeline.time(isCounted, () => atTheSameTime(paths, database.url, shutdown.signal));
  }
  const [found] = await database.query<{ loop: number; pipeline: number; same: boolean }>(SAME);
  await database.dropScratch();
  if (pipeline.ms === 0 || found === undefined) return { lines: ['Stopped before anything was compared.'] };
  return {
    lines: [
      `Files to Postgres · ${countOf(loop.rows, 'row')}, by COPY, ${whole(ROWS_AT_ONCE)} at a time, ${turns} times by turns`,
      `  one after the other  ${seconds(loop.ms).padStart(7)}  ${rate(loop.rows, loop.ms).padStart(8)} rows/s   ${seconds(loop.ms - loop.writeMs)} of it reads and parses, ${seconds(loop.writeMs)} writes`,
      `  ConcurrentPipeline   ${seconds(pipeline.ms).padStart(7)}  ${rate(pipeline.rows, pipeline.ms).padStart(8)} rows/s   ${(rateOf(pipeline) / rateOf(loop)).toFixed(2)} times as fast`,
      '  The same files, pattern and sink. In the pipeline Postgres stores some rows while others are read',
      '  and sent: that gains what one would wait for the other, as far as there are cores for both.',
    ],
    check: {
      of: 'compared',
      holds: found.same && found.loop === found.pipeline && found.loop > 0,
      text: `both ways stored the same ${whole(found.pipeline)} rows`,
    },
  };
}

const SUMS =
  'count(*) as rows, sum(bytes) as bytes, sum(line) as line, sum(hashtext(path || status)::bigint) as hash';
const SAME = `
  select one.rows::float8 as loop, other.rows::float8 as pipeline, one is not distinct from other as same
    from (select ${SUMS} from one_after_the_other) as one, (select ${SUMS} from pipeline) as other`;

interface Turn {
  readonly rows: number;
  readonly writeMs: number;
}

class Way {
  rows = 0;
  ms = 0;
  /** Of that, how long nothing else was done than to write. */
  writeMs = 0;

  async time(isCounted: boolean, run: () => Promise<Turn>): Promise<void> {
    const begunAt = performance.now();
    const { rows, writeMs } = await run();
    if (!isCounted) return;
    this.ms += performance.now() - begunAt;
    this.writeMs += writeMs;
    this.rows += rows;
  }
}

function rateOf({ rows, ms }: Way): number {
  return rows / ms;
}

/** Read, write, read, write: while one works, the other waits. */
async function oneAfterTheOther(paths: readonly string[], url: string, signal: AbortSignal): Promise<Turn> {
  const sink = requestsTable(url, 'one_after_the_other');
  const context = { signal, fail: () => {}, attempt: 1, defer: notDeferred };
  let [rows, writeMs] = [0, 0];
  await sink.open?.(context);
  try {
    for await (const batch of parsed(new LogSource(paths, false), 'drop').take(LINES).batch(ROWS_AT_ONCE)) {
      const begunAt = performance.now();
      await sink.write(batch, context);
      writeMs += performance.now() - begunAt;
      rows += batch.length;
    }
    signal.throwIfAborted();
  } catch (error) {
    await sink.close?.(error);
    throw error;
  }
  await sink.close?.();
  return { rows, writeMs };
}

async function atTheSameTime(paths: readonly string[], url: string, signal: AbortSignal): Promise<Turn> {
  const rows = parsed(new LogSource(paths, false), 'drop').take(LINES);
  const { written } = await new ConcurrentPipeline(rows, requestsTable(url, 'pipeline'))
    .name('compared')
    .maxConcurrency(WRITERS)
    .bufferSize((WRITERS + 1) * ROWS_AT_ONCE)
    .run({ signal });
  return { rows: written, writeMs: 0 };
}

function notDeferred(): never {
  throw new Error('This sink settles its writes itself, and a plain loop has no receipts.');
}
