/** A server that may be killed, and programs in processes of their own that may be, too. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { build } from 'vite';
import { afterAll, beforeAll, describe } from 'vitest';
import {
  type PostgresService,
  PostgresUnavailable,
  startPostgres,
} from '../../../../tools/services/postgres.ts';

/** Nothing, unless it is asked for more than goes with every run of the tests. */
export const EFFORT = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 0);

export interface Crashes {
  readonly server: PostgresService;
  readonly folder: string;
  query(text: string): Promise<Record<string, unknown>[]>;
  /** Starts the program. */
  spawn(...args: readonly string[]): Run;
}

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exited: Promise<readonly [code: number | null, signal: string | null]>;
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

    beforeAll(async () => {
      await build({
        configFile: false,
        logLevel: 'error',
        ssr: { noExternal: true, resolve: { conditions: ['@streamweld/source', 'node'] } },
        build: {
          ssr: join(import.meta.dirname, `${program}.ts`),
          outDir: folder,
          emptyOutDir: false,
          minify: false,
          target: 'node20',
          rollupOptions: {
            external: ['pg-native'],
            output: {
              entryFileNames: `${program}.mjs`,
              banner:
                "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
            },
          },
        },
      });
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
      spawn: (...args) => {
        const child = spawn(process.execPath, [join(folder, `${program}.mjs`), ...args], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        let output = '';
        child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
        child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
        const exited = once(child, 'exit') as unknown as Run['exited'];
        return { child, output: () => output, exited };
      },
    });
  });
}
