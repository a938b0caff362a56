/** The proof: the files are read back, and everything is put against a count made without StreamWeld. */

import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ConcurrentPipeline } from '@streamweld/core';
import { FileSource } from '@streamweld/file';
import type { Comparison } from './act-one.ts';
import type { Survival } from './act-three.ts';
import type { Broadcast, Demand, Dispatched, Partition } from './act-two.ts';
import { checkArchived } from './archived.ts';
import {
  type Check,
  checkAlerts,
  checkBroadcast,
  checkCopies,
  checkDemand,
  checkPartition,
  checkSurvivedFile,
  checkSurvivedTable,
  type IndependentCount,
} from './checks.ts';
import type { Table, Tally } from './database.ts';
import { type Flight, LATE_MINUTES } from './flight.ts';
import { ALERT_MINUTES } from './pipeline.ts';
import { ReadBack } from './read-back.ts';
import type { Stage } from './stage.ts';

/** What has been done; what is missing was not asked for, or the demo was stopped before. */
export interface Done {
  comparison?: Comparison | undefined;
  broadcast?: Broadcast | undefined;
  demand?: Demand | undefined;
  partition?: Partition | undefined;
  survival?: Survival | undefined;
}

/** Puts everything that was done to the test. */
export async function prove(
  stage: Stage,
  { comparison, broadcast, demand, partition, survival }: Done,
): Promise<Check[]> {
  const counts = new IndependentCounts();
  const checks: Check[] = [];
  if (comparison !== undefined) checks.push(...(await proveCopies(stage, comparison)));
  if (broadcast !== undefined) {
    const rows = rowsOf(broadcast, stage);
    const table = await tally(stage, 'broadcast', rows);
    const told = await stage.alerts?.readBack(stage);
    const archived = await stage.archive?.readBack(stage, broadcast.report.written);
    const expected = await counts.of(rows);
    checks.push(...checkBroadcast(broadcast, table, expected));
    if (told !== undefined) checks.push(checkAlerts(told, expected));
    if (archived !== undefined) checks.push(...checkArchived(broadcast, archived, expected));
  }
  if (demand !== undefined) checks.push(...checkDemand(demand, rowsOf(demand, stage)));
  if (partition !== undefined) {
    const { files, readBack } = await readFlights(
      stage,
      join(stage.folder, 'airports', '*.ndjson.gz'),
      partition.report.written,
      'Proof, reading the files of the airports',
    );
    checks.push(...checkPartition(partition, files, readBack, await counts.of(rowsOf(partition, stage))));
  }
  if (survival !== undefined) {
    // Who has stopped it asked for what it has told of.
    const rows = survival.isStopped ? survival.rows : stage.limit;
    const table = await tally(stage, 'survived', rows);
    if (table !== undefined) checks.push(...checkSurvivedTable(survival, table, await counts.of(rows)));
    if (survival.path !== undefined) {
      const title = 'Proof, reading the file that survived';
      const { readBack } = await readFlights(stage, survival.path, survival.rows, title);
      checks.push(...checkSurvivedFile(survival, readBack, rows));
    }
  }
  return checks;
}

/** A run that came to its end had all the flights that were asked for; one that was drained, those that it read. */
function rowsOf({ report }: Dispatched, { limit }: Stage): number {
  return report.outcome === 'completed' ? limit : report.read;
}

/** Reads files of flights, one by one. */
async function readFlights(
  { progress, shutdown }: Stage,
  paths: string,
  total: number,
  title: string,
): Promise<{ files: number; readBack: ReadBack }> {
  const readBack = new ReadBack();
  // Of nothing there are no files.
  if (total === 0) return { files: 0, readBack };
  const source = new FileSource<Flight>(paths, { format: 'ndjson', name: 'files' });
  const pipeline = new ConcurrentPipeline(source, (batch) => readBack.add(batch)).bufferSize(10_000);
  // A first Ctrl-C does not stop the proof: it is the report that it asks for.
  const running = pipeline.run({ signal: shutdown.signal });
  const read = () => {
    const snapshot = pipeline.snapshot();
    const { written: items, elapsedMs } = snapshot;
    return { title, total, items, elapsedMs, pipeline: snapshot };
  };
  const { positions } = await progress.during(read, () => running);
  return { files: positions.size, readBack };
}

/** Counts a table by SQL, where there is one. */
async function tally({ database, progress }: Stage, table: Table, rows: number): Promise<Tally | undefined> {
  return (
    database && progress.meanwhile(`Proof, counting the table ${table}`, () => database.tally(table, rows))
  );
}

/** The two tables of act 1 must hold the same. */
async function proveCopies({ database, progress, shutdown }: Stage, copies: Comparison): Promise<Check[]> {
  const { oneByOne, concurrent } = copies;
  if (database === undefined || concurrent === undefined) return [];
  // Each had its own end where a Ctrl-C came.
  if (shutdown.isWanted && concurrent.flights !== oneByOne.flights) return [];
  const differing = await progress.meanwhile('Proof, comparing the tables of act 1', () =>
    database.differing('one_after_the_other', 'pipeline'),
  );
  return [checkCopies([oneByOne.flights, concurrent.flights], differing)];
}

/** Counts that a thread has made, each once: nearly always there is only one number of rows. */
class IndependentCounts {
  readonly #counts = new Map<number, Promise<IndependentCount>>();

  of(rows: number): Promise<IndependentCount> {
    const known = this.#counts.get(rows);
    if (known !== undefined) return known;
    const count = countIndependently(rows);
    this.#counts.set(rows, count);
    return count;
  }
}

function countIndependently(rows: number): Promise<IndependentCount> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./independent-count.mjs', import.meta.url), {
      workerData: { rows, lateMinutes: LATE_MINUTES, alertMinutes: ALERT_MINUTES },
      execArgv: [],
    });
    worker.once('message', resolve);
    worker.once('error', (cause) => reject(new Error('The flights could not be counted.', { cause })));
    worker.once('exit', (code) => reject(new Error(`The thread that counts ended with code ${code}.`)));
  });
}
