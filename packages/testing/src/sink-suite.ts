/** The suite of sinks: the rules K1 to K22 of packages/core/src/sink.ts that a sink itself keeps. */

import type { SinkCheck } from './sink-bench.ts';
import { failingChecks } from './sink-failing.ts';
import type { SinkHarness } from './sink-harness.ts';
import { keepingChecks } from './sink-keeping.ts';
import { runningChecks } from './sink-running.ts';
import { writingChecks } from './sink-writing.ts';
import { type Runner, registerChecks } from './suite.ts';

export type { SinkCheck };

/** All checks of sinks, as data: to list them, or to put them to a sink without a test runner. */
export const SINK_CHECKS: readonly SinkCheck[] = [
  ...writingChecks,
  ...failingChecks,
  ...keepingChecks,
  ...runningChecks,
];

/**
 * Holds a sink to its contract: a test for each check that the harness has the means for. The name of a test begins with
 * the number of the rule; what the rules ask for stands in docs/contracts.md.
 *
 * Three methods say how to create the sink, what its items are and how to read them back. Each further one that the
 * harness has brings the checks that need it: see {@link SinkHarness}. Runs under Vitest, Jest and node:test.
 *
 * @example
 * import { appendFile, mkdtemp, readFile } from 'node:fs/promises';
 * import { describe, test } from 'node:test';
 * import { sinkSuite } from '@streamweld/testing';
 *
 * sinkSuite({ describe, test }, 'a sink of lines', {
 *   prepare: async () => `${await mkdtemp('/tmp/lines-')}/out.txt`,
 *   create: (path) => ({
 *     concurrency: 1,
 *     write: (batch) => appendFile(path, batch.map((line) => `${line}\n`).join('')),
 *   }),
 *   item: (index) => `line number ${index}`,
 *   read: async (path) => (await readFile(path, 'utf8').catch(() => '')).split('\n').slice(0, -1),
 * });
 */
export function sinkSuite<T, Place>(runner: Runner, title: string, harness: SinkHarness<T, Place>): void {
  registerChecks(runner, title, harness as SinkHarness<unknown, unknown>, SINK_CHECKS);
}
