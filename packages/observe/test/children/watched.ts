/** A pipeline that shows its progress, in a process of its own: what becomes of it, the first argument says. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ConcurrentPipeline, from } from '@streamweld/core';
import { progress, type ProgressMode } from '../../src/progress/progress.ts';

const [fate, mode] = process.argv.slice(2) as [string, ProgressMode];
Object.assign(process.stderr, { columns: 80, rows: 24 });

let left = fate === 'ends' ? 80 : Number.POSITIVE_INFINITY;
const source = {
  name: 'numbers',
  pull: async (): Promise<number[] | undefined> => {
    await sleep(10);
    left -= 1;
    return left < 0 ? undefined : [1, 2, 3];
  },
};
const pipeline = new ConcurrentPipeline(from(source), () => {}).name('child');
progress(pipeline, { mode });
if (fate === 'drains') {
  process.once('SIGINT', () => {
    void pipeline.drain();
  });
}
// Whoever watches this process knows from here on that the rows are drawn.
setTimeout(() => process.stdout.write('a line of data\n'), 900);
const ending: Record<string, () => void> = {
  exits: () => process.exit(3),
  throws: () => {
    throw new Error('out of the blue');
  },
};
if (ending[fate] !== undefined) setTimeout(ending[fate], 1200);
const report = await pipeline.run();
console.log(`written ${report.written}`);
