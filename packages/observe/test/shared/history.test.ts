import { describe, expect, it } from 'vitest';
import { History } from '../../src/shared/history.ts';

const at = (history: History, since?: number) => {
  const { times, series } = history.since(since);
  return { times, ...Object.fromEntries(series) };
};

describe('History', () => {
  it('keeps so many points and no more, in order', () => {
    const history = new History(3);
    for (let n = 1; n <= 5; n++) history.add(n * 10, new Map([['rate', n]]));
    expect(at(history)).toEqual({ times: [30, 40, 50], rate: [3, 4, 5] });
    expect(at(history, 40)).toEqual({ times: [50], rate: [5] });
    expect(at(history, 50)).toEqual({ times: [], rate: [] });
  });

  it('has a place for what came later or left, and forgets what left long ago', () => {
    const history = new History(3);
    history.add(1, new Map([['a', 1]]));
    history.add(2, new Map([['b', 2]]));
    expect(at(history)).toEqual({ times: [1, 2], a: [1, Number.NaN], b: [Number.NaN, 2] });
    for (let n = 3; n <= 10; n++) history.add(n, new Map([['b', n]]));
    expect(at(history)).toEqual({ times: [8, 9, 10], b: [8, 9, 10] });
  });
});
