/** Runs the tests that are to see a break, with the break in. */

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import type { Break } from './breaks.ts';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * The names of the tests that saw it, until the first few had.
 * @throws Error when the tests could not be run at all, which proves nothing.
 */
export function plant({ name, tests, rule }: Break): string[] {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      path.join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--config',
      'tools/planted-breaks/vitest.config.ts',
      '--bail',
      '3',
      ...(rule === undefined ? [] : ['--testNamePattern', `\\b${rule}\\b`]),
      ...tests.map((test) => `packages/core/test/${test}`),
    ],
    { cwd: root, encoding: 'utf8', env: { ...process.env, STREAMWELD_BREAK: name }, timeout: 120_000 },
  );
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
