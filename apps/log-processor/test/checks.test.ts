import { describe, expect, it } from 'vitest';
import { checkAnswers, checkLines, checkSums, type Counted } from '../src/checks.ts';
import type { Stored } from '../src/found.ts';
import { nothing } from '../src/independent-count.ts';

const sum = (requests: number, bytes: number) => ({ requests, bytes });

/** Two lines that are stored, and one that is damaged. */
function counted(changes: Partial<Counted> = {}): Counted {
  const count = {
    ...nothing(),
    lines: 3,
    total: sum(2, 30),
    byStatus: new Map([['200', sum(2, 30)]]),
    byPath: new Map([
      ['/', sum(1, 10)],
      ['/a', sum(1, 20)],
    ]),
    byMinute: new Map([['2026-12-01 12:54', sum(2, 30)]]),
    damaged: new Map([[2, 'torn']]),
  };
  const letter = { file: '/log', incarnation: 0, inode: 1, line: 2, text: 'torn', reason: 'why' };
  return { file: '/log', count, missed: 0, damaged: [letter], ...changes };
}

function stored(changes: Partial<Stored> = {}): Stored {
  const { total, byStatus, byPath, byMinute } = counted().count;
  return { rows: 2, lines: 2, total, byStatus, byPath, byMinute, ...changes };
}

const failing = (checks: readonly { holds: boolean; of: string }[]) =>
  checks.filter(({ holds }) => !holds).map(({ of }) => of);

describe('the checks', () => {
  it('hold where all is there', () => {
    expect(failing([...checkLines([counted()], stored()), ...checkSums([counted()], stored())])).toEqual([]);
  });

  it.each([
    ['a line was not read, though the file is at rest', counted({ missed: 1 }), stored(), ['lines']],
    ['a row is missing', counted(), stored({ rows: 1, lines: 1, total: sum(1, 30) }), ['lines', 'requests']],
    ['a row is there twice', counted(), stored({ rows: 3, total: sum(3, 30) }), ['lines', 'requests']],
    ['a damaged line is not in its file', counted({ damaged: [] }), stored(), ['lines', 'damaged']],
    [
      'a damaged line is there under another number',
      counted({ damaged: counted().damaged.map((each) => ({ ...each, line: 3 })) }),
      stored(),
      ['damaged'],
    ],
    ['bytes differ', counted(), stored({ total: sum(2, 31) }), ['bytes']],
    ['a status is another', counted(), stored({ byStatus: new Map([['404', sum(2, 30)]]) }), ['statuses']],
    [
      'there is a path that nobody asked for',
      counted(),
      stored({ byPath: new Map([...counted().count.byPath, ['/b', sum(1, 1)]]) }),
      ['paths'],
    ],
    ['a minute is missing', counted(), stored({ byMinute: new Map() }), ['minutes']],
  ])('fail where %s', (_, one, other, expected) => {
    expect(failing([...checkLines([one], other), ...checkSums([one], other)])).toEqual(expected);
  });

  it('compare what visitors were answered with what is stored', () => {
    const answered = new Map([[200, sum(5, 50)]]);
    expect(checkAnswers(answered, new Map(answered)).holds).toBe(true);
    expect(checkAnswers(answered, new Map([[200, sum(5, 51)]])).holds).toBe(false);
    expect(checkAnswers(answered, new Map([...answered, [404, sum(1, 0)]])).holds).toBe(false);
  });
});
