/**
 * A program with a GracefulShutdown. The first argument says what it does: `drain` (a pipeline that can), `stuck` (one whose
 * drain never ends), `hang` (one whose abort takes long, too), `slow` (nothing runs yet), `disposed`. Says `running` when a
 * signal may come; what it came to is told in JSON.
 */

import { ConcurrentPipeline, GracefulShutdown, generate, isStreamWeldError } from '../../src/index.ts';

const [kind, ...signals] = process.argv.slice(2) as [string, ...string[]];
const shutdown = new GracefulShutdown(signals.length === 0 ? undefined : { signals });
// A run that waits for nothing but a promise would end the process, and hide what hangs.
const alive = setInterval(() => {}, 1000);

let written = 0;
const pipeline = new ConcurrentPipeline(
  generate((n) => n),
  async (batch: readonly number[]) => {
    await new Promise((resolve) => {
      if (kind === 'drain' || written === 0) setTimeout(resolve, 1);
    });
    written += batch.length;
    if (written === batch.length) console.log('running');
  },
)
  .bufferSize(100)
  .closeMs(kind === 'hang' ? 60_000 : 100);

async function work(): Promise<object> {
  if (kind === 'disposed') {
    shutdown[Symbol.dispose]();
    console.log('running');
    await new Promise(() => {});
  }
  if (kind === 'slow') {
    console.log('running');
    while (!shutdown.isWanted) await new Promise(setImmediate);
  }
  const { outcome, read } = await shutdown.run(pipeline);
  return { outcome, isAllWritten: read === written };
}

try {
  console.log(JSON.stringify(await work()));
} catch (error) {
  if (!isStreamWeldError(error)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
  process.exitCode = 130;
} finally {
  clearInterval(alive);
}
