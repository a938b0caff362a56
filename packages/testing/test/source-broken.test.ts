/** The suite on sources that are broken on purpose: each must be caught, by the number of the rule that it breaks. */

import { closeSync } from 'node:fs';
import { findBreaches, SOURCE_CHECKS, type SourceHarness } from '@streamweld/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { BROKEN_SOURCES, leftOpen, leftRunning } from './sources/broken-sources.ts';
import { laneHarness } from './sources/lane-source.ts';

/** Short: what is broken by never coming is waited for. */
const DEADLINE_MS = 100;

/** The checks of memory take time, and say something of S18 alone. */
const QUICK_CHECKS = SOURCE_CHECKS.filter(({ rule }) => rule !== 'S18');
const MEMORY_CHECKS = SOURCE_CHECKS.filter(({ rule }) => rule === 'S18');

afterEach(() => {
  for (const descriptor of leftOpen.splice(0)) closeSync(descriptor);
  for (const timer of leftRunning.splice(0)) clearInterval(timer);
});

describe('sourceSuite catches a source that', () => {
  for (const { rule, defect, says, broken, on } of BROKEN_SOURCES) {
    test(`${rule} ${defect}`, async () => {
      const harness = laneHarness({ deadlineMs: DEADLINE_MS, ...on }, broken) as SourceHarness<unknown>;
      const breaches = await findBreaches(harness, rule === 'S18' ? MEMORY_CHECKS : QUICK_CHECKS);
      expect(breaches.map((breach) => breach.rule)).toContain(rule);
      const said = breaches
        .filter((breach) => breach.rule === rule)
        .map(({ error }) => (error as Error).message);
      expect(said.join('\n')).toMatch(says);
    });
  }

  test('is broken in each rule of the suite', () => {
    const broken = new Set(BROKEN_SOURCES.map(({ rule }) => rule));
    expect(SOURCE_CHECKS.filter(({ rule }) => !broken.has(rule))).toEqual([]);
  });
});
