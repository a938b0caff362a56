/** Programs of tests, in processes of their own that may be killed at any moment. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { build } from 'vite';

export interface Run {
  readonly child: ChildProcess;
  /** All it has said so far. */
  readonly output: () => string;
  readonly exited: Promise<readonly [code: number | null, signal: string | null]>;
}

/**
 * Makes one file of a program, with all it imports: it then starts in a quarter of a second, and a kill meets it at work.
 * @param folder where it is put. @returns what starts it, any number of times.
 */
export async function buildProgram(source: string, folder: string): Promise<(...args: string[]) => Run> {
  const name = `${path.basename(source, '.ts')}.mjs`;
  await build({
    configFile: false,
    logLevel: 'error',
    ssr: { noExternal: true, resolve: { conditions: ['@streamweld/source', 'node'] } },
    build: {
      ssr: source,
      outDir: folder,
      emptyOutDir: false,
      minify: false,
      target: 'node20',
      rolldownOptions: {
        // Asked for by a client where it is there.
        external: ['pg-native', 'kafkajs-snappy', 'lz4-napi', 'zstd-napi'],
        output: {
          entryFileNames: name,
          banner:
            "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
        },
      },
    },
  });
  return (...args) => {
    const child = spawn(process.execPath, [path.join(folder, name), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return { child, output: () => output, exited: once(child, 'exit') as unknown as Run['exited'] };
  };
}
