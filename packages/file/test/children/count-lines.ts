/** Reads the lines of a glob, as numbers, and prints how many there were, what they add up to, and the limit of handles. */

import { execSync } from 'node:child_process';
import { FileSource } from '@streamweld/file';

const source = new FileSource(process.argv[2] as string);
await source.open({
  positions: new Map(),
  signal: new AbortController().signal,
  settled: () => Promise.resolve(),
  endLane: () => {},
  fail: () => {},
});
let items = 0;
let sum = 0;
for (let batch = await source.pull(1000); batch !== undefined; batch = await source.pull(1000)) {
  items += batch.items.length;
  for (const line of batch.items) sum += Number(line);
}
await source.close();
const limit = execSync('ulimit -n', { shell: '/bin/bash', encoding: 'utf8' }).trim();
console.log(JSON.stringify({ limit, items, sum }));
