import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startOwn } from '../src/postgres.ts';
import { cleanUp, openFolder } from './demo.ts';

let folder: string;

beforeEach(async () => {
  folder = await openFolder();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await cleanUp(folder, undefined);
});

describe('a Postgres that the demo cannot bring along', () => {
  it('is told of by a code, with the reason and what can be done', async () => {
    vi.stubEnv('TMPDIR', join(folder, 'nowhere'));
    const error: unknown = await startOwn(new AbortController().signal).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'FLIGHTS_POSTGRES_UNAVAILABLE' });
    expect(String(error)).toMatch(/did not start: ENOENT.*nowhere/);
    expect(String(error)).toContain('--postgres URL or STREAMWELD_POSTGRES_URL');
    expect(String(error)).toContain('--no-postgres');
  });
});
