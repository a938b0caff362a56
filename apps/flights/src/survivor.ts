/** A process of its own, for act 3: it writes flights exactly once, tells how far it has come, and may be killed. */

import { join } from 'node:path';
import { ConcurrentPipeline } from '@streamweld/core';
import { FileCheckpointStore, FileSink } from '@streamweld/file';
import { SURVIVED_FILE, type Told } from './act-three.ts';
import type { Flight } from './flight.ts';
import { FlightsSource } from './flights-source.ts';

const TELL_EVERY_MS = 10;

async function survive(limit: number, folder: string): Promise<void> {
  const sink = new FileSink<Flight>(join(folder, SURVIVED_FILE), { format: 'ndjson', level: 1 });
  const pipeline = new ConcurrentPipeline(new FlightsSource({ limit }), sink)
    .name('survivor')
    .bufferSize(20_000)
    // That is all: the sink keeps the positions beside the length of its file, and cuts it back to them.
    .checkpoint(new FileCheckpointStore(join(folder, 'checkpoints')), 'flights');
  const running = pipeline.run();
  const tell = (isDone: boolean) => {
    const row = pipeline.report.positions.get('') ?? 0;
    process.send?.({ row, isDone } as Told);
  };
  const timer = setInterval(() => {
    if (pipeline.state !== 'opening') tell(false);
  }, TELL_EVERY_MS);
  process.once('message', () => void pipeline.drain().catch(() => {}));
  // Nobody is left who could start it again, so it ends too.
  process.once('disconnect', () => process.exit(1));
  try {
    await running;
    tell(true);
  } finally {
    clearInterval(timer);
    process.removeAllListeners('disconnect');
    process.disconnect?.();
  }
}

const [limit, folder] = process.argv.slice(2);
await survive(Number(limit), folder as string);
