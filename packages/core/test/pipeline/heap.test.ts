/** In a process of its own with a small heap: what is not bounded ends it. */

import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

describe('ConcurrentPipeline in a heap of 64 MiB', () => {
  it('[fault 95] [fault 12] moves four hundred megabytes from a fast source into a slow sink', {
    timeout: 60_000,
  }, async () => {
    const child = path.resolve(import.meta.dirname, '../children/pipeline-slow-sink.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--max-old-space-size=64',
      '--conditions=@streamweld/source',
      '--import',
      import.meta.resolve('tsx'),
      child,
    ]);
    const told = JSON.parse(stdout) as { written: number; most: number; heapLimit: number };
    expect(told.written).toBe(30_000);
    expect(told.most).toBeLessThanOrEqual(500);
    expect(told.heapLimit).toBeLessThan(160 * 1024 * 1024);
  });
});
