/** Reading lines: FileSource beside node:readline, in turns, so that both meet the same weather. */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { FileSource } from '@streamweld/file';

export async function bySource(
  path: string,
  format: 'lines' | 'ndjson' | 'csv' | 'bytes' = 'lines',
): Promise<number> {
  const source = new FileSource(path, { format: format as 'ndjson' });
  await source.open({
    positions: new Map(),
    signal: new AbortController().signal,
    settled: () => Promise.resolve(),
    endLane: () => {},
    fail: () => {},
  });
  let items = 0;
  for (;;) {
    let batch = source.pull(1000);
    if (batch instanceof Promise) batch = (await batch) as never;
    if (batch === undefined) break;
    items += (batch as { items: readonly unknown[] }).items.length;
  }
  await source.close();
  return items;
}

export function byReadline(path: string, isZipped = false): Promise<number> {
  return new Promise((resolve, reject) => {
    const file = createReadStream(path);
    const input = isZipped ? file.pipe(createGunzip()) : file;
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    let items = 0;
    lines.on('line', () => {
      items += 1;
    });
    lines.on('close', () => resolve(items));
    input.on('error', reject);
  });
}
