/** A process of its own, for act 3: it writes flights exactly once, tells how far it has come, and may be killed. */

import { DATABASE_VARIABLE, type Told } from './act-three.ts';
import { FlightsSource } from './flights-source.ts';
import { surviving } from './pipeline.ts';

const TELL_EVERY_MS = 10;

async function survive(limit: number, folder: string): Promise<void> {
  const pipeline = surviving(new FlightsSource({ limit }), folder, process.env[DATABASE_VARIABLE]);
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
