/** Follows the files of a folder: reads each, adds its first line to it once more, and reads that; prints what it had. */

import { execSync } from 'node:child_process';
import { appendFileSync, closeSync, openSync } from 'node:fs';
import { FileSource } from '@streamweld/file';

const [folder, count] = [process.argv[2] as string, Number(process.argv[3])];
const source = new FileSource(`${folder}/*.txt`, { follow: { maxOpen: 1000 } });
await source.open({
  positions: new Map(),
  signal: new AbortController().signal,
  settled: () => Promise.resolve(),
  endLane: () => {},
  fail: () => {},
});
// The source takes every handle there is: one is kept for the writer, who is in the same process.
let spare = openSync('/dev/null', 'r');
let items = 0;
let sum = 0;
while (items < 2 * count) {
  const batch = await source.pull(1000);
  if (batch === undefined) break;
  items += batch.items.length;
  closeSync(spare);
  for (const line of batch.items) {
    sum += Number(line);
    if (items <= count) appendFileSync(batch.lane as string, `${line}\n`);
  }
  spare = openSync('/dev/null', 'r');
}
source.stop();
await source.close();
const limit = execSync('ulimit -n', { shell: '/bin/bash', encoding: 'utf8' }).trim();
console.log(JSON.stringify({ limit, items, sum }));
