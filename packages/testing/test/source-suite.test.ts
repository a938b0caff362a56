/** The suite on sources that keep every rule: all of it must pass. */

import { findBreaches, SOURCE_CHECKS, type SourceHarness, sourceSuite } from '@streamweld/testing';
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

  /** The rules that are broken, those of memory left aside. */
  async function rulesBroken(harness: SourceHarness<string>): Promise<string[]> {
    const checks = SOURCE_CHECKS.filter(({ rule }) => rule !== 'S18');
    return [
      ...new Set((await findBreaches(harness as SourceHarness<unknown>, checks)).map(({ rule }) => rule)),
    ];
  }

  const items = ['the one item', 'the other item'];

  test('tells of positions that the harness says nothing about', async () => {
    const { absurdPositions: _, ...harness } = laneHarness() as SourceHarness<string>;
    expect(await rulesBroken(harness)).toEqual(['S12']);
  });

  test('misses positions that the harness speaks of', async () => {
    const bare: SourceHarness<string> = {
      seed: (count) => {
        let at = 0;
        const seeded = Array.from({ length: count }, (_, index) => `bare item ${index}`);
        return {
          items: seeded,
          create: () => ({
            open: () => {
              at = 0;
            },
            pull: (demand) => (at < count ? seeded.slice(at, (at += demand)) : undefined),
          }),
        };
      },
    };
    expect(await rulesBroken(bare)).toEqual([]);
    const broken = await rulesBroken({ ...bare, absurdPositions: () => [] });
    expect(broken).toEqual(expect.arrayContaining(['S7', 'S12', 'S13', 'S15', 'S20']));
  });

  test('ends soon, whatever hangs', async () => {
    const never = new Promise<never>(() => {});
    for (const method of ['open', 'pull', 'stop', 'close'] as const) {
      const source = { pull: () => undefined, [method]: () => never };
      const seed = () => ({ items, create: () => source });
      const begun = performance.now();
      expect(await rulesBroken({ seed, deadlineMs: 20 })).not.toEqual([]);
      // A check waits for few things before it gives up: here, some tens of milliseconds each.
      expect(performance.now() - begun).toBeLessThan(20_000);
    }
  });
});
