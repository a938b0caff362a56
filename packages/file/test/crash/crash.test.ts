/** FAULTS.md, row 46: kill -9 at any moment, file to file, on the real disk. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFECTS } from './defects.ts';
import { bundleProgram, inTurns, Killer, shareOut, summarise } from './killing.ts';
import { VARIANTS } from './variants.ts';

const EFFORT = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 1);
/**
 * The same seed chooses the same points; the times of kills by the clock are the machine's. The longer command looks
 * elsewhere each time.
 */
const SEED = Number(process.env['STREAMWELD_CRASH_SEED'] ?? (EFFORT > 1 ? Date.now() % 1_000_000 : 1));
const KILLS = 26;

let place = '';
let program = '';

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'streamweld-crash-program-'));
  program = await bundleProgram(place);
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

describe.skipIf(process.platform !== 'linux')('file to file and kill -9', () => {
  test('46 ends with the output that the input asks for, wherever it was killed', {
    timeout: 300_000 * EFFORT,
  }, async () => {
    const killers = Object.keys(VARIANTS).map((name, index) => new Killer(program, name, SEED + index));
    const shares = shareOut(await inTurns(killers, 2, (killer) => killer.learn()));
    const outcomes = await inTurns([...killers.entries()], 2, ([index, killer]) =>
      killer.kill(KILLS * EFFORT, shares[index]),
    );
    const { kills, inputs, runs, killedByTime, met, missed, violations } = summarise(outcomes);
    console.info(
      `${kills} kills (${killedByTime} by the clock) of ${inputs} copies in ${runs} processes, seed ${SEED}; ` +
        `${met.length - missed.length} of ${met.length} points hit, missed: ${missed.join(', ') || 'none'}`,
    );
    expect(violations, `STREAMWELD_CRASH_SEED=${SEED}`).toEqual([]);
    expect(kills).toBeGreaterThanOrEqual(200);
    expect(met.length - missed.length).toBeGreaterThanOrEqual(0.9 * met.length);
  });

  test.each(Object.keys(DEFECTS))(
    'the test of this test: %s is caught',
    { timeout: 120_000 },
    async (name) => {
      const killer = new Killer(program, name, SEED);
      await killer.learn();
      const { violations } = await killer.kill(60, undefined, true);
      expect(violations.length).toBeGreaterThan(0);
    },
  );
});
