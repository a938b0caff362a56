/** The suite on sinks that are broken on purpose: each must be caught, by the number of the rule that it breaks. */

import { findBreaches, type SinkHarness, SINK_CHECKS } from '@streamweld/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { BROKEN_SINKS, leftRunning } from './sinks/broken-sinks.ts';
import { tableHarness } from './sinks/table-sinks.ts';

/** Short: what is broken by never coming is waited for. */
const DEADLINE_MS = 150;

afterEach(() => {
  for (const timer of leftRunning.splice(0)) clearInterval(timer);
});

describe('sinkSuite catches a sink that', () => {
  for (const { rule, defect, says, broken, keeps = false } of BROKEN_SINKS) {
    test(`${rule} ${defect}`, async () => {
      const harness = {
        ...tableHarness(broken, keeps ? broken : undefined),
        deadlineMs: rule === 'K21' ? 5000 : DEADLINE_MS,
      } as SinkHarness<unknown>;
      const breaches = await findBreaches(
        harness,
        SINK_CHECKS.filter((check) => check.rule === rule),
      );
      expect(breaches.map(({ error }) => (error as Error).message).join('\n')).toMatch(says);
    });
  }

  test('is broken in each rule of the suite', () => {
    const broken = new Set(BROKEN_SINKS.map(({ rule }) => rule));
    expect(SINK_CHECKS.filter(({ rule }) => !broken.has(rule)).map(({ rule }) => rule)).toEqual([]);
  });
});
