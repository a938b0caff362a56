/** Writes 20 batches exactly once, and prints how far it came. */

import { FileSink } from '@streamweld/file';

const sink = new FileSink(process.argv[2] as string, {});
const batch = Array.from({ length: 100 }, () => 'x'.repeat(99));
const { signal } = new AbortController();
const defer = (): never => {
  throw new Error('nothing is deferred here');
};
let from = 0;
let to = 0;
let failed: { code?: string; cause?: string } = {};
try {
  await sink.open({ signal, checkpoint: 'run', fail: () => {} });
  from = (sink.positions().get('lane') ?? 0) as number;
  for (to = from; to < 20; to += 1) {
    await sink.write(batch, { signal, attempt: 1, positions: new Map([['lane', to + 1]]), defer });
  }
  await sink.close();
} catch (error) {
  await sink.close(error);
  const { code, cause } = error as { code: string; cause: { code: string } };
  failed = { code, cause: cause.code };
}
console.log(JSON.stringify({ ...failed, from, to }));
