/** In processes of their own: what a dispatcher holds does not grow with what has gone through it. */

import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const child = path.resolve(import.meta.dirname, '../children/dispatcher-memory.ts');

describe('The memory of a dispatcher', () => {
  it.each([
    ['broadcast', 40_000_000],
    ['demand', 10_000_000],
    ['partition', 10_000_000],
    ['keyed', 10_000_000],
  ])(
    'is flat from the first million items to the tenth: %s',
    { timeout: 60_000 },
    async (kind, delivered) => {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [
        '--expose-gc',
        '--conditions=@streamweld/source',
        '--import',
        import.meta.resolve('tsx'),
        child,
        kind,
      ]);
      const told = JSON.parse(stdout) as { samples: number; growth: number };
      expect(told).toMatchObject({ written: 10_000_000, delivered, listeners: [0, 0, 0, 0, 0] });
      expect(told.samples).toBeGreaterThanOrEqual(9);
      expect(told.growth).toBeLessThanOrEqual(1024 * 1024);
      expect(stderr).toBe('');
    },
  );
});
