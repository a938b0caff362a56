/** The parts that decide and move nothing. */

import { describe, expect, it } from 'vitest';
import { OptionError, StreamWeldError, WriteError } from '../../src/errors.ts';
import { isolate, leftToWrite, type SegmentRules, wholeSegment } from '../../src/policy/bisect.ts';
import { describeError } from '../../src/policy/dead-letter.ts';
import { blamesData, failedIndexes } from '../../src/policy/write-failure.ts';

const rules = (changed: Partial<SegmentRules> = {}): SegmentRules => ({
  isAtomic: false,
  keepsOrder: false,
  halves: false,
  ...changed,
});
const letters = wholeSegment(['a', 'b', 'c', 'd', 'e'], 1);

describe('leftToWrite', () => {
  it.each([
    [undefined, {}, 'abcde'],
    [[1, 3], {}, 'bd'],
    [[1, 3], { keepsOrder: true }, 'bcde'],
    [[1, 3], { isAtomic: true }, 'abcde'],
    [[0], { keepsOrder: true }, 'abcde'],
    [[4], { keepsOrder: true }, 'e'],
  ])('of abcde, %j failed with %j: %s', (failed, changed, left) => {
    const again = leftToWrite(letters, failed, rules(changed));
    expect([again.items.join(''), again.attempt]).toEqual([left, 2]);
    expect(again.at.map((index) => letters.items[index]).join('')).toBe(left);
  });
});

describe('isolate', () => {
  const found = (failed: readonly number[] | undefined, changed: Partial<SegmentRules> = {}) => {
    const isolation = isolate(letters, failed, rules(changed));
    return isolation === undefined
      ? undefined
      : [isolation.bad?.items.join(''), ...isolation.again.map(({ items }) => items.join(''))];
  };

  it('takes out what is named', () => {
    expect(found([1, 3])).toEqual(['bd', 'ace']);
    expect(found([0, 1, 2, 3, 4])).toEqual(['abcde']);
  });

  it('halves, the left half first and the longer', () => {
    expect(found(undefined, { halves: true })).toEqual([undefined, 'abc', 'de']);
  });

  it('knows no way where nothing is named and it may not halve', () => {
    expect(found(undefined)).toBeUndefined();
  });

  it('ends with one item', () => {
    const one = wholeSegment(['a'], 3);
    expect(isolate(one, undefined, rules())).toEqual({ bad: one, again: [] });
  });
});

describe('blamesData', () => {
  const endless = new StreamWeldError('SW_SINK_FAILED', 'x');
  Object.defineProperty(endless, 'cause', { value: endless });
  it.each<[unknown, boolean]>([
    [undefined, false],
    [null, false],
    ['retryable', false],
    [new Error('x'), false],
    [{ retryable: true }, false],
    [{ retryable: false }, true],
    [{ retryable: 0 }, false],
    [new WriteError('x'), false],
    [new WriteError('x', { retryable: false }), true],
    // A word of its own comes before its cause's.
    [new WriteError('x', { cause: { retryable: false } }), false],
    [new StreamWeldError('SW_SINK_FAILED', 'x', { cause: { retryable: false } }), true],
    // Whatever is not ours may have a cause for other reasons.
    [new Error('x', { cause: { retryable: false } }), false],
    [endless, false],
  ])('%# of %s: %s', (error, blames) => {
    expect(blamesData(error)).toBe(blames);
  });
});

describe('failedIndexes', () => {
  it.each<[unknown, readonly number[] | undefined]>([
    [new Error('x'), undefined],
    [{ failed: [] }, undefined],
    [{ failed: 'all' }, undefined],
    [{ failed: [2, 0, 2] }, [0, 2]],
    [{ failed: [5] }, undefined],
    [{ failed: [-1, 0] }, undefined],
    [{ failed: ['0'] }, undefined],
    [new StreamWeldError('SW_SINK_FAILED', 'x', { cause: { failed: [1] } }), [1]],
  ])('%# of %o', (error, failed) => {
    expect(failedIndexes(error, 5)).toEqual(failed);
  });
});

describe('describeError', () => {
  it.each<[unknown, object]>([
    [new TypeError('no'), { name: 'TypeError', message: 'no' }],
    [Object.assign(new Error('no'), { code: 'ENOENT' }), { name: 'Error', message: 'no', code: 'ENOENT' }],
    [{ code: 7 }, { name: 'Error', message: '', code: '7' }],
    ['no', { name: 'string', message: 'no' }],
    [undefined, { name: 'undefined', message: 'undefined' }],
    [null, { name: 'object', message: 'null' }],
    [Symbol('no'), { name: 'symbol', message: 'Symbol(no)' }],
    [
      new WriteError('no', {
        retryable: false,
        details: { sqlState: '23505', at: { row: 7, column: undefined } },
      }),
      {
        name: 'WriteError',
        message: 'no',
        code: 'SW_SINK_FAILED',
        details: { sqlState: '23505', at: { row: 7 } },
      },
    ],
    [
      new StreamWeldError('SW_X', 'no', { details: {} }),
      { name: 'StreamWeldError', message: 'no', code: 'SW_X' },
    ],
    // What no JSON can hold, and what is no record.
    ...[{ n: 1n }, ['23505'], 'text', null, circle()].map((details): [unknown, object] => [
      new StreamWeldError('SW_X', 'no', { details: details as never }),
      { name: 'StreamWeldError', message: 'no', code: 'SW_X' },
    ]),
    // What others call details may quote anything.
    [Object.assign(new Error('no'), { details: { card: '4111' } }), { name: 'Error', message: 'no' }],
    [
      new OptionError('x', 'a number', 'y'),
      { name: 'OptionError', message: 'x must be a number, got "y".', code: 'SW_OPTION_INVALID' },
    ],
  ])('%#: %s', (thrown, described) => {
    const error = describeError(thrown);
    expect(JSON.parse(JSON.stringify(error))).toEqual(described);
    expect(error.cause).toBe(thrown);
  });

  it('copies the details: what happens to the error later changes no letter', () => {
    const details = { sqlState: '23505' };
    const error = describeError(new StreamWeldError('SW_X', 'no', { details }));
    details.sqlState = 'changed';
    expect(error.details).toEqual({ sqlState: '23505' });
  });
});

function circle(): object {
  const record: Record<string, unknown> = {};
  record['self'] = record;
  return record;
}
