/** FAULTS.md, rows 30, 94 and 95: a small heap, and a clock that jumps, each in a process of its own. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleProgram } from './killing.ts';

const EFFORT = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 1);
/** Four times the heap; the longer command copies a gigabyte. */
const BYTES = EFFORT > 1 ? 1_000_000_000 : 256_000_000;

let place = '';
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'streamweld-limits-'));
  for (const name of ['large', 'clock']) await bundleProgram(place, name);
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

async function run(name: string, ...given: readonly string[]): Promise<Record<string, number | string>> {
  const script = join(place, `${name}.mjs`);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    '--max-old-space-size=64',
    script,
    ...given,
  ]);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Record<string, number | string>;
}

describe.skipIf(process.platform !== 'linux')('A copy in a process of its own', () => {
  test.each(['whole', 'checkpoint'])(
    '95 needs no more than 64 MiB of heap for many times as much: %s',
    { timeout: 300_000 },
    async (mode) => {
      const folder = mkdtempSync(join(place, 'large-'));
      const said = await run('large', String(BYTES), folder, mode);
      expect(said).toMatchObject({ code: 'copied', written: BYTES });
      expect(said['mostMiB']).toBeLessThan(500);
      rmSync(folder, { recursive: true });
    },
  );

  test('95, 30 refuses a line of 1 GiB in 64 MiB of heap', { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(place, 'line-'));
    const said = await run('large', String(1 << 30), folder, 'line');
    expect(said).toMatchObject({ code: 'SW_FORMAT_LINE_TOO_LONG' });
    expect(said['mostMiB']).toBeLessThan(500);
  });

  test('94 rolls, commits and tries again by a clock that does not jump', { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(place, 'clock-'));
    const said = (await run('clock', folder)) as Record<string, number>;
    const { jumps = 0, refused, commits = 0, written, ms = 0 } = said;
    expect(jumps).toBeGreaterThan(10);
    expect(refused).toBe(2);
    expect(written).toBe(60);
    expect(ms).toBeLessThan(60_000);
    // As often as the time that has passed allows, neither at every jump nor never.
    expect(commits).toBeGreaterThanOrEqual(2);
    expect(commits).toBeLessThanOrEqual(ms / 100 + 2);
    const parts = readdirSync(folder).filter((name) => name.startsWith('out-'));
    expect(parts.length).toBeGreaterThanOrEqual(2);
    expect(parts.length).toBeLessThanOrEqual(ms / 150 + 2);
    const numberOf = (name: string): number => Number(/\d+/.exec(name)?.[0]);
    const text = parts
      .sort((a, b) => numberOf(a) - numberOf(b))
      .map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(text.join('')).toBe(Array.from({ length: 60 }, (_, index) => `${index}\n`).join(''));
  });
});
