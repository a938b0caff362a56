/** A server that may be killed, and programs in processes of their own that may be, too. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe } from 'vitest';
import {
  type PostgresService,
  PostgresUnavailable,
  startPostgres,
} from '../../../../tools/services/postgres.ts';
import { buildProgram, type Run } from '../../../../tools/services/program.ts';

/** Nothing, unless it is asked for more than goes with every run of the tests. */
export const EFFORT = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 0);

export interface Crashes {
  readonly server: PostgresService;
  readonly folder: string;
  query(text: string): Promise<Record<string, unknown>[]>;
  /** Starts the program. */
  spawn(...args: string[]): Run;
}

const service = await startPostgres({ from: ['local', 'embedded'] }).catch((error: unknown) => {
  if (!(error instanceof PostgresUnavailable) || process.env['CI'] !== undefined) throw error;
  return undefined;
});

/** @param program of this folder, without its ending. */
export function describeCrashes(name: string, program: string, body: (crashes: Crashes) => void): void {
  describe.skipIf(service === undefined)(name, () => {
    const folder = mkdtempSync(join(tmpdir(), 'streamweld-postgres-crash-'));
    const server = service as PostgresService;

    let start: Awaited<ReturnType<typeof buildProgram>>;

    beforeAll(async () => {
      start = await buildProgram(join(import.meta.dirname, `${program}.ts`), folder);
    });

    afterAll(async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    body({
      server,
      folder,
      query: async (text) => {
        const client = new pg.Client(server.url);
        client.on('error', () => {});
        try {
          await client.connect();
          const { rows } = await client.query(text);
          return rows as Record<string, unknown>[];
        } finally {
          await client.end();
        }
      },
      spawn: (...args) => start(...args),
    });
  });
}
