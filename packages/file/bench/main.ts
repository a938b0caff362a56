/**
 * What files cost: `node --expose-gc --conditions=@streamweld/source --import tsx packages/file/bench/main.ts`.
 * Rivals take turns in one process; the median of the rounds and the ratio are printed. `ROUNDS=1 ONLY=once` shortens it.
 */

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { byReadline, bySource } from './read.ts';
import { byLedger, bySink, byStream, manyByLedger, manyBySink, manyByStreams, type Row } from './write.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const folder = mkdtempSync(join(tmpdir(), 'streamweld-bench-'));

async function compare(
  title: string,
  bytes: number,
  items: number,
  rivals: Record<string, () => Promise<unknown>>,
): Promise<void> {
  if (!title.includes(process.env['ONLY'] ?? '')) return;
  const times = new Map<string, number[]>(Object.keys(rivals).map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, run] of Object.entries(rivals)) {
      globalThis.gc?.();
      const begun = performance.now();
      await run();
      // The first round warms up.
      if (round > 0) times.get(name)?.push(performance.now() - begun);
    }
  }
  console.log(`\n${title} (${(bytes / 1e6).toFixed(0)} MB, ${(items / 1e6).toFixed(1)} M items)`);
  const medians = [...times].map(
    ([name, all]) => [name, all.sort((a, b) => a - b)[Math.floor(all.length / 2)] as number] as const,
  );
  const last = medians.at(-1)?.[1] ?? Number.NaN;
  for (const [name, ms] of medians) {
    const speed = `${(bytes / 1e6 / ms).toFixed(2)} GB/s  ${(items / 1e3 / ms).toFixed(2)} M items/s`;
    console.log(`  ${name.padEnd(28)} ${ms.toFixed(0).padStart(6)} ms  ${speed}  ×${(last / ms).toFixed(2)}`);
  }
}

try {
  const lines = Array.from(
    { length: 1_500_000 },
    (_, index) => `${index} GET /path/${(index * 7919) % 10007} 200 ${'abcdefghij'.repeat(index % 8)}`,
  );
  const text = `${lines.join('\n')}\n`;
  const plain = join(folder, 'lines.txt');
  writeFileSync(plain, text);
  const zipped = join(folder, 'lines.gz');
  writeFileSync(zipped, gzipSync(text));
  const ndjson = join(folder, 'items.ndjson');
  writeFileSync(
    ndjson,
    Array.from({ length: 500_000 }, (_, id) => `{"id":${id},"name":"item ${id}","price":${id / 100}}\n`).join(
      '',
    ),
  );

  await compare('lines', text.length, lines.length, {
    FileSource: () => bySource(plain),
    'node:readline': () => byReadline(plain),
  });
  await compare('lines of gzip', text.length, lines.length, {
    FileSource: () => bySource(zipped),
    'node:readline over gunzip': () => byReadline(zipped, true),
  });
  await compare('ndjson', statSync(ndjson).size, 500_000, {
    FileSource: () => bySource(ndjson, 'ndjson'),
    'split and JSON.parse': async () => {
      let found = 0;
      for (const line of readFileSync(ndjson, 'utf8').split('\n'))
        if (line !== '' && JSON.parse(line) !== null) found += 1;
      return found;
    },
  });

  const batches: string[][] = [];
  for (let from = 0; from < lines.length; from += 500) batches.push(lines.slice(from, from + 500));
  await compare('write lines', text.length, lines.length, {
    'FileSink (synced, renamed)': () => bySink(join(folder, 'sink.txt'), batches),
    'fs.WriteStream.write(line)': () => byStream(join(folder, 'stream.txt'), batches),
  });

  const large: string[][] = [];
  for (let from = 0; from < lines.length; from += 8000) large.push(lines.slice(from, from + 8000));
  // A folder of its own each time: a second run would go on behind the first.
  const fresh = (): string => join(mkdtempSync(join(folder, 'once-')), 'out');
  await compare('write lines exactly once', text.length, lines.length, {
    'writes of 500, synced each': () => byLedger(fresh(), batches, 'batch'),
    'writes of 500, never synced': () => byLedger(fresh(), batches, 'never'),
    'writes of 8000, synced each': () => byLedger(fresh(), large, 'batch'),
    'writes of 8000, never synced': () => byLedger(fresh(), large, 'never'),
    'fs.WriteStream.write(line)': () => byStream(join(folder, 'stream.txt'), batches),
  });

  const rows: Row[][] = [];
  let rowBytes = 0;
  for (let from = 0; from < 500_000; from += 500) {
    const batch = lines
      .slice(from, from + 500)
      .map((line, index) => ({ to: `airport-${((from + index) * 7919) % 229}`, line }));
    for (const row of batch) rowBytes += JSON.stringify(row).length + 1;
    rows.push(batch);
  }
  await compare('write ndjson to 229 files', rowBytes, 500_000, {
    'FileSink (synced, renamed)': () => manyBySink(join(folder, 'many'), rows, '.ndjson'),
    'FileSink, gzip': () => manyBySink(join(folder, 'many'), rows, '.ndjson.gz'),
    '229 fs.WriteStreams': () => manyByStreams(folder, rows),
  });

  // Each write touches 500 files of 10,007: what it costs does not depend on how many there are.
  const wide: Row[][] = [];
  for (let from = 0; from < 20_000; from += 500) {
    wide.push(
      lines
        .slice(from, from + 500)
        .map((line, index) => ({ to: `${((from + index) * 7919) % 10_007}`, line })),
    );
  }
  const wideBytes = wide.flat().reduce((sum, row) => sum + JSON.stringify(row).length + 1, 0);
  await compare('write ndjson to 10,007 files exactly once', wideBytes, 20_000, {
    'synced each': () => manyByLedger(fresh(), wide, 'batch'),
    'never synced': () => manyByLedger(fresh(), wide, 'never'),
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
