/** Writes a megabyte of lines, and prints how that failed and what it left. */

import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { FileSink } from '@streamweld/file';

const path = process.argv[2] as string;
const sink = new FileSink(path, { bufferBytes: 10_000 });
const batch = Array.from({ length: 100 }, () => 'x'.repeat(99));
try {
  await sink.open();
  for (let written = 0; written < 100; written += 1) await sink.write(batch);
  await sink.flush();
  await sink.close();
} catch (error) {
  await sink.close(error);
  const { code, cause } = error as { code: string; cause: { code: string } };
  console.log(JSON.stringify({ code, cause: cause.code, left: readdirSync(dirname(path)) }));
}
