/**
 * A pipeline as a program: the first SIGTERM drains and reports, the second aborts. Says `running` when items flow.
 * The argument says how the sink behaves: `quick`, or `stuck` (its writes never end).
 */

import { setTimeout } from 'node:timers/promises';
import { generate } from '../../src/builtin/sources.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';

const isStuck = process.argv[2] === 'stuck';
let written = 0;

const pipeline = new ConcurrentPipeline(
  generate((n) => n),
  async (batch: readonly number[]) => {
    await (isStuck && written > 0 ? new Promise(() => {}) : setTimeout(1));
    if (written === 0) console.log('running');
    written += batch.length;
  },
)
  .bufferSize(100)
  .closeMs(200);

let signals = 0;
process.on('SIGTERM', () => {
  signals += 1;
  if (signals === 1) {
    console.log('draining');
    pipeline.drain().catch(() => {});
  } else {
    void pipeline.abort();
  }
});
// A run that waits for nothing but a promise would end the process, and hide what hangs.
const alive = setInterval(() => {}, 1000);

try {
  const report = await pipeline.run();
  console.log(JSON.stringify({ outcome: report.outcome, read: report.read, written: report.written }));
} catch (error) {
  console.error((error as { code?: string }).code, String((error as { suppressed?: unknown }).suppressed));
  process.exitCode = 1;
} finally {
  clearInterval(alive);
  process.removeAllListeners('SIGTERM');
}
