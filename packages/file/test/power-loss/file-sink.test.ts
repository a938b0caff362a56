/** Power loss under FileSink and a whole pipeline: after it the run is started again, and the output is exact. */

import { ConcurrentPipeline, type Sink, type Source } from '@streamweld/core';
import { type FilePosition, FileSink, FileSource, type FileSystem } from '@streamweld/file';
import { describe, expect, test } from 'vitest';
import { moved } from '../crash/defects.ts';
import type { MemoryDisk } from './memory-disk.ts';
import { type Changes, type Copy, COPIES, finish, LINES, newDisk, TEXT, unlock, watched } from './copies.ts';
import {
  dyingAfter,
  type Exploration,
  explore,
  nothingExplored,
  override,
  record,
  withoutSync,
  wrapped,
} from './explore.ts';

const EFFORT = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 1);
const SEED = Number(process.env['STREAMWELD_CRASH_SEED'] ?? 1);

type Change = (source: Source<string, FilePosition>) => Source<string, FilePosition>;

interface Trial {
  readonly spoil?: (fs: FileSystem) => FileSystem;
  readonly changes?: Changes;
  readonly perBoundary?: number;
}

const { plain, 'at least once': atLeastOnce } = COPIES as { plain: Copy; 'at least once': Copy };

/** Loses power at every boundary of a copy; each time the run is started again and must come to the right end. */
async function tryAll(copied: Copy, trial: Trial = {}): Promise<Exploration> {
  const { spoil = (fs) => fs, changes = {}, perBoundary = 30 * EFFORT } = trial;
  const { source: change = (same) => same } = changes;
  const recording = record(newDisk());
  const source: Change = (inner) => noting(recording.disk)(change(inner));
  await copied.build(spoil(recording.disk), { ...changes, source }).run();
  return explore(recording, { seed: SEED, perBoundary }, (disk, notes) =>
    finish(copied, disk, mostOf(notes), change),
  );
}

/** Remarks how many items the source is told to be done with. */
const noting =
  (disk: MemoryDisk): Change =>
  (source) =>
    watched(source, { committed: ({ record: items }) => disk.note(items) });

const mostOf = (notes: readonly unknown[]): number => Math.max(0, ...(notes as readonly number[]));

function tell(name: string, { states, boundaries }: Exploration): void {
  console.info(`${name}: ${states} crash states at ${boundaries} boundaries, seed ${SEED}`);
}

describe('FileSink and power loss', { timeout: 600_000 }, () => {
  test.each(Object.entries(COPIES))(
    '46 %s: the run that follows makes the output what it should be',
    async (name, copied) => {
      const found = await tryAll(copied);
      tell(name, found);
      expect(found.violations).toEqual([]);
      expect(found.states).toBeGreaterThan(300);
    },
  );

  /** Kills a run after so many operations, runs another to its end, and loses power at every boundary of that one. */
  async function tryKilled(copied: Copy, hasFolder: boolean, step: number): Promise<Exploration> {
    const found = nothingExplored();
    for (let operations = 0, ended = false; !ended; operations += step) {
      const recording = record(newDisk(hasFolder));
      const { disk } = recording;
      const source = noting(disk);
      ended = await copied
        .build(dyingAfter(disk, operations), { source })
        .run()
        .then(
          () => true,
          () => false,
        );
      unlock(disk);
      const from = disk.log.length;
      await copied.build(disk, { source }).run();
      await explore(
        recording,
        { seed: SEED + operations, perBoundary: 1, every: 3, from },
        (left, notes) => finish(copied, left, mostOf(notes)),
        found,
      );
    }
    return found;
  }

  test.each(['plain', 'rolling', 'many files'])(
    '46 %s: also where the run before was killed, and nothing that it did is durable yet',
    async (name) => {
      const found = await tryKilled(COPIES[name] as Copy, true, EFFORT > 1 ? 1 : 8);
      tell(`${name}, killed before`, found);
      expect(found.violations).toEqual([]);
      expect(found.states).toBeGreaterThan(150);
    },
  );

  test('46 plain: also where the run before was killed when it had made the folder', async () => {
    expect((await tryKilled(plain, false, 4)).violations).toEqual([]);
  });

  test.each(['plain', 'rolling', 'many files'])(
    '46 %s: also where power is lost again while it recovers',
    async (name) => {
      const copied = COPIES[name] as Copy;
      const first = record(newDisk());
      await copied.build(first.disk).run();
      const found = nothingExplored();
      await explore(
        first,
        { seed: SEED, perBoundary: 1, every: 20 / EFFORT },
        async (left, _notes, chance) => {
          unlock(left);
          const second = record(left);
          await copied.build(left, { source: noting(left) }).run();
          await explore(
            second,
            { seed: chance.below(1e6), perBoundary: 1, every: 12 },
            (again, notes) => finish(copied, again, mostOf(notes)),
            found,
          );
        },
      );
      tell(`${name}, lost twice`, found);
      expect(found.violations).toEqual([]);
      expect(found.states).toBeGreaterThan(100);
    },
  );

  /** Without a checkpoint a file is whole, or not there. */
  async function tryTemporary(spoil: (fs: FileSystem) => FileSystem): Promise<Exploration> {
    const disk = newDisk();
    disk.place('/srv/old.log', Buffer.from('old\n'));
    const recording = record(disk);
    const paths = ['/srv/old.log', '/srv/new/new.log'];
    for (const path of paths) {
      const sink = new FileSink(path, { client: spoil(disk), bufferBytes: 700 });
      await new ConcurrentPipeline(new FileSource('/srv/in.log', { client: disk }), sink)
        .bufferSize(12)
        .run();
      disk.note(path);
    }
    return explore(recording, { seed: SEED, perBoundary: 60 * EFFORT }, async (left, notes) => {
      for (const path of paths) {
        const bytes = left.contents().get(path);
        const text = bytes === undefined ? undefined : Buffer.from(bytes).toString();
        const before = path === '/srv/old.log' ? 'old\n' : undefined;
        if (text === TEXT || (text === before && !notes.includes(path))) continue;
        throw new Error(`${path} has ${text?.length ?? 'no'} characters`);
      }
    });
  }

  test('46 a temporary: the file is as it was, or whole, and whole once the run has ended', async () => {
    const found = await tryTemporary((fs) => fs);
    tell('temporary', found);
    expect(found.violations).toEqual([]);
    expect(found.states).toBeGreaterThan(300);
  });

  const few = { perBoundary: 5 };
  const withoutSyncOf = (pattern: RegExp) => (fs: FileSystem) =>
    withoutSync(fs, (path) => pattern.test(path));

  test.each<[string, () => Promise<Exploration>]>([
    ['no sync', () => tryAll(plain, { spoil: withoutSyncOf(/./), ...few })],
    ['no sync of what is written', () => tryAll(plain, { spoil: withoutSyncOf(/out\.log$/), ...few })],
    ['no sync of the ledger', () => tryAll(plain, { spoil: withoutSyncOf(/\.ledger/), ...few })],
    ['no sync of folders', () => tryAll(plain, { spoil: withoutSyncOf(/\/[^.]*$/), ...few })],
    ['a ledger that is ahead of the data', () => tryAll(plain, { spoil: dataAfterLedger, ...few })],
    [
      'a commit before what it covers is durable',
      () => tryAll(atLeastOnce, { changes: { sink: hasty }, ...few }),
    ],
    ['a position that is one item ahead', () => tryAll(plain, { changes: { source: ahead }, ...few })],
    ['a position that is one batch behind', () => tryAll(plain, { changes: { source: behind }, ...few })],
    ['a temporary that is not synced', () => tryTemporary(withoutSyncOf(/\.tmp$/))],
    ['a rename without a sync of the folder', () => tryTemporary(withoutSyncOf(/^\/srv(\/new)?$/))],
  ])('the test of this test: %s is caught', async (_defect, explored) => {
    const { violations } = await explored();
    expect(violations.length).toBeGreaterThan(0);
  });
});

/** Writes data only after the ledger that speaks of it is on the disk. */
function dataAfterLedger(fs: FileSystem): FileSystem {
  const late: (() => Promise<void>)[] = [];
  return wrapped(fs, (path, handle) => {
    if (path.endsWith('.ledger') || path.endsWith('.ledger.tmp')) {
      return override(handle, {
        async datasync() {
          await handle.datasync();
          for (const write of late.splice(0)) await write();
        },
      });
    }
    if (!path.endsWith('out.log')) return handle;
    return override(handle, {
      async write(buffer, offset, length, position) {
        const bytes = buffer.slice(offset, offset + length);
        late.push(async () => {
          await handle.write(bytes, 0, length, position);
          await handle.datasync();
        });
        return { bytesWritten: length };
      },
      datasync: async () => {},
    });
  });
}

/** Says of what was accepted that it is durable. */
function hasty(sink: Sink<string>): Sink<string> {
  return {
    ...sink,
    async write(batch, context) {
      await sink.write(batch, context);
      // Time for a commit.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const ahead = (source: Source<string, FilePosition>): Source<string, FilePosition> =>
  moved(source, (position) => ({
    ...position,
    record: position.record + 1,
    offset: position.offset + (LINES[position.record] ?? '').length + 1,
  }));

const behind = (source: Source<string, FilePosition>): Source<string, FilePosition> =>
  moved(source, (position, before) => before ?? { ...position, record: 0, offset: 0 });
