/** In processes of their own: what a dispatcher holds does not grow with what has gone through it. */

import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const child = path.resolve(import.meta.dirname, '../children/dispatcher-memory.ts');

const MILLION = 1_000_000;

describe('The heap of a dispatcher', () => {
  it.each(
    (['broadcast', 'demand', 'names', 'keyed', 'custom'] as const).flatMap((kind) =>
      (['positions', 'no positions'] as const).map((positions) => ({ kind, positions })),
    ),
  )(
    'grows by 1 MiB at most from the first million items to the fifth: $kind, $positions',
    { timeout: 120_000 },
    async ({ kind, positions }) => {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [
        '--expose-gc',
        '--conditions=@streamweld/source',
        '--import',
        import.meta.resolve('tsx'),
        child,
        kind,
        positions,
      ]);
      const told = JSON.parse(stdout) as { growth: number };
      expect(told).toMatchObject({
        written: 5 * MILLION,
        delivered: (kind === 'broadcast' ? 20 : 5) * MILLION,
        samples: 5,
        hasCommitted: positions === 'positions',
        listeners: [0, 0, 0, 0, 0],
      });
      expect(told.growth).toBeLessThanOrEqual(1024 * 1024);
      expect(stderr).toBe('');
    },
  );
});
