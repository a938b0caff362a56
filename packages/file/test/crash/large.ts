/**
 * Copies more than the heap may hold, line by line, and says how it went.
 *
 *     large <bytes> <folder> whole|checkpoint      lines of a hundred bytes, made on the way
 *     large <bytes> <folder> line                  one line, in a file that has no blocks
 */

import { closeSync, ftruncateSync, openSync, promises, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { type FileHandle, FileSink, FileSource, type FileSystem } from '@streamweld/file';

const [size = '0', folder = '', mode = ''] = process.argv.slice(2);
const BYTES = Number(size);
const LINE = Buffer.from('0123456789'.repeat(10).slice(0, 99).concat('\n'));
const PATTERN = Buffer.concat(Array.from({ length: 4000 }, () => LINE));

process.on('unhandledRejection', (reason) => {
  console.error(reason);
  process.exitCode = 9;
});
process.on('warning', (warning) => {
  console.error(warning);
  process.exitCode = 9;
});

const stat = {
  size: BYTES,
  dev: 1,
  ino: 1,
  mode: 0o644,
  mtimeMs: 1,
  isFile: () => true,
  isDirectory: () => false,
  isFIFO: () => false,
};

/** A file that is made while it is read: a disk need not hold it. */
const endless = {
  async read(buffer, offset, length, position) {
    const from = position ?? 0;
    const end = Math.min(from + length, BYTES);
    let at = from;
    while (at < end) {
      const start = at % LINE.length;
      at += PATTERN.copy(buffer, offset + at - from, start, Math.min(PATTERN.length, start + end - at));
    }
    return { bytesRead: Math.max(0, at - from) };
  },
  stat: async () => stat,
  close: async () => {},
} as Partial<FileHandle> as FileHandle;

const real = promises as FileSystem;
const client: FileSystem = {
  ...real,
  open: async (path, flags, permissions) =>
    path === '/made/in.log' ? endless : real.open(path, flags, permissions),
  stat: async (path) => (path === '/made/in.log' ? stat : real.stat(path)),
};

let path = '/made/in.log';
if (mode === 'line') {
  path = join(folder, 'in.log');
  const file = openSync(path, 'w');
  ftruncateSync(file, BYTES);
  closeSync(file);
}
const out = join(folder, 'out.log');
const pipeline = new ConcurrentPipeline(
  new FileSource(path, { client }),
  new FileSink(out, { client, ...(mode === 'checkpoint' && { fsync: 'never' as const }) }),
).bufferSize(20_000);
if (mode === 'checkpoint') pipeline.checkpoint(new MemoryCheckpointStore(), 'large');
const code = await pipeline.run().then(
  () => 'copied',
  (error: unknown) => (error as { code: string }).code,
);
const written = code === 'copied' ? statSync(out).size : 0;
console.log(JSON.stringify({ code, written, mostMiB: Math.round(process.resourceUsage().maxRSS / 1024) }));
