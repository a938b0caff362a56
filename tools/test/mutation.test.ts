import { describe, expect, it } from 'vitest';
import { compare, type Mutant, type Survivor } from '../mutation/compare.ts';

const source = 'const a = 1;\nif (a > 0 &&\n  a < 2) go();\n';

function mutant(status: string, replacement = 'true'): Mutant {
  const location = { start: { line: 2, column: 5 }, end: { line: 3, column: 8 } };
  return { file: 'channel/x.ts', mutator: 'ConditionalExpression', replacement, status, location, source };
}

function survivor(replacement = 'true', times?: number): Survivor {
  return {
    file: 'channel/x.ts',
    mutator: 'ConditionalExpression',
    original: 'a > 0 && a < 2',
    replacement,
    times,
    why: 'It is only faster.',
  };
}

describe('the list of survivors', () => {
  it('is held against what survived by its text, wherever that stands', () => {
    const { killed, explained, unexplained, stale } = compare(
      [mutant('Killed', 'a'), mutant('Timeout', 'b'), mutant('Survived'), mutant('Ignored', 'c')],
      [survivor()],
    );
    expect({ killed, explained, unexplained, stale }).toEqual({
      killed: 2,
      explained: 1,
      unexplained: [],
      stale: [],
    });
  });

  it('tells what is not in it, and what no test reaches', () => {
    const { explained, unexplained } = compare([mutant('Survived'), mutant('NoCoverage', 'false')], []);
    expect(explained).toBe(0);
    expect(unexplained.map(({ line, original, replacement }) => [line, original, replacement])).toEqual([
      [2, 'a > 0 && a < 2', 'true'],
      [2, 'a > 0 && a < 2', 'false'],
    ]);
  });

  it('explains as many as it says, and no more', () => {
    const twice = [mutant('Survived'), mutant('Survived')];
    expect(compare(twice, [survivor()]).unexplained).toHaveLength(1);
    expect(compare(twice, [survivor('true', 2)]).unexplained).toHaveLength(0);
    expect(compare(twice, [survivor('true', 3)]).stale).toHaveLength(1);
  });

  it('tells what is in it and was seen', () => {
    expect(compare([mutant('Killed')], [survivor()]).stale).toEqual([survivor()]);
  });
});
