/** Power loss under FileCheckpointStore: whatever survives, the last save that had resolved is there. */

import { FileCheckpointStore, type FileSystem } from '@streamweld/file';
import { describe, expect, test } from 'vitest';
import { dyingAfter, type Exploration, explore, nothingExplored, record, withoutSync } from './explore.ts';
import type { MemoryDisk } from './memory-disk.ts';

const FOLDER = '/var/state/checkpoints';
const EFFORT = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 1);

interface Remark {
  readonly event: 'started' | 'saved';
  readonly value: number;
}

/** Some runs one after the other, each of which takes the name over and saves. */
async function work(disk: MemoryDisk, fs: FileSystem, runs = 3, saves = 4, first = 1): Promise<void> {
  let value = first;
  for (let run = 0; run < runs; run += 1) {
    const store = new FileCheckpointStore(FOLDER, { client: fs });
    const orders = await store.acquire('orders');
    for (let save = 0; save < saves; save += 1) {
      disk.note({ event: 'started', value } satisfies Remark);
      await orders.save('orders', positionsOf(value));
      disk.note({ event: 'saved', value } satisfies Remark);
      value += 1;
      if (save === 1) await store.save('others', positionsOf(-value));
    }
  }
}

/** More than a sector, so that it can be torn. */
function positionsOf(value: number): ReadonlyMap<string, unknown> {
  return new Map(Array.from({ length: 30 }, (_, lane) => [`lane ${lane} of a run`, { offset: value, lane }]));
}

async function check(disk: MemoryDisk, notes: readonly unknown[]): Promise<void> {
  const remarks = notes as readonly Remark[];
  const latest = (event: Remark['event']): number =>
    Math.max(0, ...remarks.filter((remark) => remark.event === event).map(({ value }) => value));
  const store = new FileCheckpointStore(FOLDER, { client: disk });
  const loaded = (await store.load('orders')) ?? new Map<string, unknown>();
  const found = (loaded.get('lane 0 of a run') as { offset: number } | undefined)?.offset ?? 0;
  if (found < latest('saved') || found > latest('started')) {
    throw new Error(
      `position ${found} is there, ${latest('saved')} was saved and ${latest('started')} begun`,
    );
  }
  if (found > 0) expect(loaded).toEqual(positionsOf(found));
  // And it goes on from there.
  const run = await store.acquire('orders');
  await run.save('orders', positionsOf(found + 1));
  expect(await store.load('orders')).toEqual(positionsOf(found + 1));
}

async function tryAll(
  spoil: (fs: FileSystem) => FileSystem = (fs) => fs,
  perBoundary = 40 * EFFORT,
): Promise<Exploration> {
  const recording = record();
  await work(recording.disk, spoil(recording.disk), 6, 6);
  return explore(recording, { seed: 1, perBoundary }, check);
}

describe('FileCheckpointStore and power loss', { timeout: 600_000 }, () => {
  test('46 holds the last save that had resolved, whatever else is lost', async () => {
    const found = await tryAll();
    expect(found.violations).toEqual([]);
    expect(found.states).toBeGreaterThan(1500);
    console.info(`checkpoints: ${found.states} crash states at ${found.boundaries} boundaries`);
  });

  test('46 holds it also where a run before was killed at any operation, and nothing of it is durable yet', async () => {
    const found = nothingExplored();
    for (let operations = 0; ; operations += 1) {
      const recording = record();
      const { disk } = recording;
      const killed = await work(disk, dyingAfter(disk, operations), 1, 3).then(
        () => false,
        () => true,
      );
      const from = disk.log.length;
      const started = disk.log.filter(({ kind }) => kind === 'note').length;
      await work(disk, disk, 1, 2, 1 + Math.ceil(started / 2));
      await explore(recording, { seed: operations, perBoundary: 5 * EFFORT, from }, check, found);
      if (!killed) break;
    }
    expect(found.violations).toEqual([]);
    expect(found.states).toBeGreaterThan(2000);
    console.info(
      `checkpoints, killed before: ${found.states} crash states at ${found.boundaries} boundaries`,
    );
  });

  test.each<[string, (path: string) => boolean]>([
    ['no sync', () => true],
    ['no sync of files', (path) => path.endsWith('.tmp')],
    ['no sync of the folder', (path) => path === FOLDER],
    ['no sync of the folders above', (path) => FOLDER.startsWith(`${path}/`) || path === '/'],
  ])('the test of this test: %s is caught', async (_defect, isMeant) => {
    const found = await tryAll((fs) => withoutSync(fs, isMeant), 5);
    expect(found.violations.length).toBeGreaterThan(0);
  });
});
