/** Copies from file to file on a disk in memory, and how each must look when it is done. */

import { gunzipSync } from 'node:zlib';
import { ConcurrentPipeline, type Sink, type Source } from '@streamweld/core';
import {
  FileCheckpointStore,
  FileSink,
  type FilePosition,
  FileSource,
  type FileSystem,
} from '@streamweld/file';
import { MemoryDisk } from './memory-disk.ts';

const OUT = '/srv/data/out';

/** Of lengths that differ; some longer than a sector. */
export const LINES: readonly string[] = Array.from({ length: 48 }, (_, index) =>
  `${index} `.padEnd(index % 9 === 4 ? 1300 : 5 + ((index * 13) % 60), 'abcdefg'),
);
export const TEXT: string = LINES.map((line) => `${line}\n`).join('');

export interface Copy {
  build(fs: FileSystem, change?: Changes): ConcurrentPipeline<string>;
  /** Throws where the output is not what the input asks for. */
  check(contents: ReadonlyMap<string, Uint8Array>): void;
}

/** What a planted defect puts in the place of what is right. */
export interface Changes {
  source?(source: Source<string, FilePosition>): Source<string, FilePosition>;
  sink?(sink: Sink<string>): Sink<string>;
}

/** With the input on it, and the folder of the output or not even that. */
export function newDisk(hasFolder = false): MemoryDisk {
  const disk = new MemoryDisk();
  disk.place('/srv/in.log', Buffer.from(TEXT));
  if (hasFolder) disk.place(`${OUT}/notes.txt`, Buffer.from('not ours\n'));
  return disk;
}

function copy(make: (fs: FileSystem) => Sink<string>, check: Copy['check']): Copy {
  return {
    build(fs, changes = {}) {
      const input = new FileSource('/srv/in.log', { client: fs, chunkBytes: 1024 });
      const sink = make(fs);
      return new ConcurrentPipeline<string>(changes.source?.(input) ?? input, changes.sink?.(sink) ?? sink)
        .bufferSize(12)
        .commitEvery({ items: 10, ms: 60_000 })
        .checkpoint(new FileCheckpointStore('/var/checkpoints', { client: fs }), 'copy');
    },
    check,
  };
}

const textOf = (contents: ReadonlyMap<string, Uint8Array>, path: string): string =>
  Buffer.from(contents.get(path) ?? []).toString();

function compare(what: string, got: string, wanted: string): void {
  if (got === wanted) return;
  let place = 0;
  while (place < wanted.length && got[place] === wanted[place]) place += 1;
  throw new Error(
    `${what} has ${got.length} characters instead of ${wanted.length} and differs at ${place}: ` +
      `${JSON.stringify(got.slice(place, place + 20))} instead of ${JSON.stringify(wanted.slice(place, place + 20))}`,
  );
}

const fileOf = (line: string): string => `${Number(line.split(' ', 1)[0]) % 3}.log`;

export const COPIES: Readonly<Record<string, Copy>> = {
  plain: copy(
    (client) => new FileSink(`${OUT}/out.log`, { client }),
    (contents) => compare('out.log', textOf(contents, `${OUT}/out.log`), TEXT),
  ),
  gzip: copy(
    (client) => new FileSink(`${OUT}/out.log.gz`, { client, level: 1 }),
    (contents) =>
      compare(
        'out.log.gz',
        gunzipSync(contents.get(`${OUT}/out.log.gz`) ?? new Uint8Array(0)).toString(),
        TEXT,
      ),
  ),
  rolling: copy(
    (client) => new FileSink(`${OUT}/out-{sequence}.log`, { client, roll: { maxItems: 10 } }),
    (contents) => {
      const parts = [...contents.keys()].filter((path) => path.startsWith(`${OUT}/out-`));
      const numberOf = (path: string): number => Number(/(\d+)\.log$/.exec(path)?.[1]);
      parts.sort((a, b) => numberOf(a) - numberOf(b));
      compare('all parts', parts.map((path) => textOf(contents, path)).join(''), TEXT);
    },
  ),
  'many files': copy(
    (client) => new FileSink(fileOf, { client, root: OUT, maxOpen: 2 }),
    (contents) => {
      for (const name of ['0.log', '1.log', '2.log']) {
        const wanted = LINES.filter((line) => fileOf(line) === name).map((line) => `${line}\n`);
        compare(name, textOf(contents, `${OUT}/${name}`), wanted.join(''));
      }
    },
  ),
  'at least once': copy(
    (client) => {
      const sink = new FileSink(`${OUT}/out.log`, { client, append: true });
      return {
        name: sink.name,
        concurrency: 1,
        open: () => sink.open(),
        write: (batch, context) => sink.write(batch, context),
        flush: () => sink.flush(),
        close: (reason) => sink.close(reason),
      };
    },
    (contents) => {
      const seen = new Set(textOf(contents, `${OUT}/out.log`).split('\n'));
      const lost = LINES.filter((line) => !seen.has(line));
      if (lost.length > 0)
        throw new Error(`${lost.length} lines are lost, the first is ${lost[0]?.slice(0, 10)}`);
    },
  ),
};

/**
 * A lock that a power loss left behind is one of another boot; here it looks like one of this very process. That it is
 * taken over is seen where processes are killed.
 */
export function unlock(disk: MemoryDisk): void {
  const walk = (folder: MemoryDisk['root']): void => {
    for (const [name, node] of folder.names) {
      if (node.kind === 'folder') walk(node);
      else if (name.includes('.lock')) folder.names.delete(name);
    }
  };
  walk(disk.root);
}

interface Watch {
  committed?(position: FilePosition): void;
  resumed?(position: FilePosition | undefined): void;
}

/** The same source; tells what it is told. */
export function watched(
  source: Source<string, FilePosition>,
  { committed, resumed }: Watch,
): Source<string, FilePosition> {
  return {
    name: 'watched',
    open(context) {
      resumed?.(context.positions.get('/srv/in.log'));
      return source.open?.(context);
    },
    pull: (demand) => source.pull(demand),
    stop: () => source.stop?.(),
    commit(positions) {
      const position = positions.get('/srv/in.log');
      if (position !== undefined) committed?.(position);
      return source.commit?.(positions);
    },
    close: (reason) => source.close?.(reason),
  };
}

/**
 * The run after the power loss, and what it must come to. What the source had been told to be done with must not be asked
 * of it again: another source may no longer have it.
 */
export async function finish(
  copied: Copy,
  disk: MemoryDisk,
  committed = 0,
  change: (source: Source<string, FilePosition>) => Source<string, FilePosition> = (same) => same,
): Promise<void> {
  unlock(disk);
  let resumedAt = 0;
  const source = (inner: Source<string, FilePosition>): Source<string, FilePosition> =>
    watched(change(inner), {
      resumed: (position) => {
        resumedAt = position?.record ?? 0;
      },
    });
  await copied.build(disk, { source }).run();
  copied.check(disk.contents());
  if (resumedAt < committed) throw new Error(`it resumed at ${resumedAt}, and ${committed} were committed`);
}
