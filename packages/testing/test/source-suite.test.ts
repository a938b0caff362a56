/** The suite on sources that keep every rule: all of it must pass. */

import { SOURCE_CHECKS, sourceSuite } from '@streamweld/testing';
import { describe, expect, test } from 'vitest';
import { laneHarness } from './sources/lane-source.ts';

sourceSuite({ describe, test }, 'sourceSuite on three lanes', laneHarness());
sourceSuite({ describe, test }, 'sourceSuite on one lane', laneHarness({ lanes: 1 }));
sourceSuite(
  { describe, test },
  'sourceSuite on lanes without an end',
  laneHarness({ isEndless: true, lanes: 2 }),
);

describe('SOURCE_CHECKS', () => {
  test('has a check for each rule that is the source’s to keep', () => {
    const rules = [...new Set(SOURCE_CHECKS.map(({ rule }) => rule))];
    const numbers = rules.map((rule) => Number(rule.slice(1))).toSorted((a, b) => a - b);
    expect(numbers).toEqual([3, 4, 5, 6, 7, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]);
  });

  test('gives no two checks the same name', () => {
    const names = SOURCE_CHECKS.map(({ rule, sentence }) => `${rule} ${sentence}`);
    expect(new Set(names).size).toBe(names.length);
  });
});
