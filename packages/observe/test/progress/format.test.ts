import { describe, expect, it } from 'vitest';
import { asClock, asCount, asDuration, asPercent, asRate } from '../../src/progress/format.ts';
import { paint } from '../../src/progress/line.ts';
import { cutTo, fitTo, widthOf } from '../../src/progress/text-width.ts';

describe('numbers', () => {
  it('are written as people read them', () => {
    expect([0, 999, 1000, 1_204_330, 12_345_678_901].map(asCount)).toEqual([
      '0',
      '999',
      '1,000',
      '1,204,330',
      '12,345,678,901',
    ]);
    expect([0, 0.04, 3.14, 9.96, 42, 999.4, 999.6, 48_210, 450_300, 2_000_000, 7e12].map(asRate)).toEqual([
      '0/s',
      '0.0/s',
      '3.1/s',
      '10/s',
      '42/s',
      '999/s',
      '1.0k/s',
      '48.2k/s',
      '450k/s',
      '2.0M/s',
      '7000G/s',
    ]);
    expect([0, 3400, 9949, 9951, 27_000, 59_600, 3_723_000].map(asDuration)).toEqual([
      '0.0 s',
      '3.4 s',
      '9.9 s',
      '0:10',
      '0:27',
      '1:00',
      '1:02:03',
    ]);
    expect([asClock(0), asClock(-5), asClock(7400), asPercent(0.617)]).toEqual([
      '0:00',
      '0:00',
      '0:07',
      '62 %',
    ]);
  });
});

describe('width', () => {
  it('is that of a terminal', () => {
    expect(['abc', '東京', '🚀', 'é', 'e\u0301', '█░━'].map(widthOf)).toEqual([3, 4, 2, 1, 1, 3]);
    expect([cutTo('東京 tokyo', 5), cutTo('abc', 3), cutTo('abcd', 3), cutTo('abc', 0)]).toEqual([
      '東京…',
      'abc',
      'ab…',
      '',
    ]);
    expect([fitTo('東京', 6), fitTo('7', 3, 'right'), fitTo('abcdef', 4)]).toEqual(['東京  ', '  7', 'abc…']);
  });
});

describe('paint', () => {
  const line = [
    { text: 'ab', style: 'red' as const },
    { text: 'cd ' },
    { text: '  ', style: 'bold' as const },
  ];

  it('puts styles on after it has cut, and leaves blanks at the end out', () => {
    expect(paint(line, 10, false)).toBe('abcd');
    expect(paint(line, 10, true)).toBe('\u001b[31mab\u001b[39mcd');
    expect(paint(line, 3, true)).toBe('\u001b[31mab\u001b[39m…');
    expect(paint([], 3, true)).toBe('');
  });
});
