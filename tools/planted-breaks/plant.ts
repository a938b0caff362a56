/** Runs the tests that are to see a break, with the break in. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { Break } from './breaks.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** Longer than any of the tests takes on a slow machine: those of a broker wait for it. */
const MOST_MS = { core: 120_000, kafka: 300_000, s3: 120_000 };

/**
 * The names of the tests that saw it, until the first few had.
 * @throws Error when the tests could not be run at all, which proves nothing.
 */
export async function plant({ name, package: where = 'core', tests, rule }: Break): Promise<string[]> {
  const child = spawn(
    process.execPath,
    [
      path.join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--config',
      'tools/planted-breaks/vitest.config.ts',
      '--bail',
      '3',
      ...(rule === undefined ? [] : ['--testNamePattern', `\\b${rule}\\b`]),
      ...tests.map((test) => `packages/${where}/test/${test}`),
    ],
    {
      cwd: root,
      env: { ...process.env, STREAMWELD_BREAK: name, STREAMWELD_DEEP: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  );
  // With its workers: one that goes round for ever would not notice that its parent is gone.
  const timer = setTimeout(() => process.kill(-(child.pid as number), 'SIGKILL'), MOST_MS[where]);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  clearTimeout(timer);
  const start = stdout.indexOf('{"');
  if (start < 0) throw new Error(`The tests did not run with '${name}':\n${stdout}\n${stderr}`);
  const report = JSON.parse(stdout.slice(start)) as {
    numTotalTests: number;
    testResults: { assertionResults: { status: string; fullName: string }[] }[];
  };
  if (report.numTotalTests === 0) throw new Error(`There are no tests to see '${name}':\n${stderr}`);
  return report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'failed')
    .map(({ fullName }) => fullName);
}
