import { describe, expect, it } from 'vitest';
import { LEFT_OUT } from '../everywhere/left-out.ts';
import { PLATFORMS } from '../everywhere/platforms.ts';
import { readResults, tableInReadme, tableOf } from '../everywhere/results.ts';
import type { Tally, Told } from '../everywhere/tally.ts';
import { judge, type Listed } from '../everywhere/verdict.ts';

const listed: readonly Listed[] = ['a', 'b', 'b'].map((name) => ({
  project: 'core',
  file: 'test/x.test.ts',
  name: `x > ${name}`,
}));

function tally(...states: readonly [name: string, state: Told['state'], why?: string][]): Tally {
  const tests = states.map(([name, state, why]) => ({
    project: 'core',
    file: 'test/x.test.ts',
    name: `x > ${name}`,
    state,
    why,
  }));
  return { tests, errors: [] };
}

describe('The verdict over a platform', () => {
  it('is clean where every listed test passed, names that stand twice too', () => {
    const { verdict, wrong } = judge(
      'bun',
      'core',
      listed,
      tally(['a', 'passed'], ['b', 'passed'], ['b', 'passed']),
    );
    expect(wrong).toEqual([]);
    expect(verdict).toMatchObject({ passed: 3, failed: 0, skipped: [], leftOut: [] });
  });

  it('misses a test that was never told of', () => {
    expect(judge('bun', 'core', listed, tally(['a', 'passed'], ['b', 'passed'])).wrong).toEqual([
      'test/x.test.ts > x > b: was never told of',
    ]);
  });

  it('is surprised by a test that is not in the list', () => {
    const told = tally(['a', 'passed'], ['b', 'passed'], ['b', 'passed'], ['c', 'passed']);
    expect(judge('bun', 'core', listed, told).wrong).toEqual([
      'test/x.test.ts > x > c: is run here, and is not in the list',
    ]);
  });

  it('counts what failed, what did not end, and a file that did not load', () => {
    const told = {
      ...tally(['a', 'failed'], ['b', 'pending'], ['b', 'passed']),
      errors: ['it did not load'],
    };
    const { verdict, wrong } = judge('bun', 'core', listed, told);
    expect(verdict).toMatchObject({ passed: 1, failed: 2 });
    expect(wrong).toHaveLength(3);
  });

  it('keeps what tests skip themselves apart from what is left out', () => {
    const [entry] = LEFT_OUT;
    if (entry === undefined) throw new Error('Nothing is left out.');
    const told = tally(['a', 'skipped', 'no broker'], ['b', 'skipped', entry.why], ['b', 'passed']);
    expect(judge(entry.platform, 'core', listed, told).verdict).toMatchObject({
      skipped: [{ why: 'no broker', tests: 1 }],
      leftOut: [{ why: entry.why, tests: 1 }],
    });
  });

  it('is wrong for a project without tests', () => {
    expect(judge('bun', 'cor', listed, tally()).wrong).toEqual(['There are no tests in a project cor.']);
  });
});

describe('What README says of platforms', () => {
  it('is what was run', () => {
    expect(tableInReadme()).toBe(tableOf(readResults()));
  });

  it('is of the versions in the table of platforms', () => {
    for (const { platform, version } of readResults()) {
      const of = PLATFORMS.find(({ name }) => name === platform);
      expect(of, platform).toBeDefined();
      if (of?.kind === 'process') expect(version, platform).toBe(of.version);
    }
  });
});
