import { describe, expect, it } from 'vitest';
import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkMethod,
  checkOneOf,
  checkOptions,
  checkSignal,
  checkText,
} from '../../src/options.ts';

/** What the check answers for each, or the message it throws. */
function outcome(check: () => unknown): unknown {
  try {
    return check();
  } catch (error) {
    expect(error).toMatchObject({ code: 'SW_OPTION_INVALID', name: 'OptionError' });
    return (error as Error).message;
  }
}

describe('checkCount', () => {
  it.each([1, 2, 1e6, Number.MAX_SAFE_INTEGER])('takes %s', (value) => {
    expect(checkCount('size', value)).toBe(value);
  });

  it.each([
    [0, '0'],
    [-1, '-1'],
    [1.5, '1.5'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [2 ** 53, '9007199254740992'],
    ['5', '"5"'],
    [5n, '5n'],
    [null, 'null'],
    [undefined, 'undefined'],
    [[5], 'an array of 1'],
  ])('refuses %s', (value, got) => {
    expect(outcome(() => checkCount('size', value))).toBe(
      `size must be a whole number of at least 1, got ${got}.`,
    );
  });

  it('has a least of its own where one is given', () => {
    expect(checkCount('size', 0, 0)).toBe(0);
    expect(outcome(() => checkCount('size', 3, 4))).toBe('size must be a whole number of at least 4, got 3.');
  });
});

describe('checkDuration', () => {
  it.each([0, 0.5, 1, 2 ** 31 - 1])('takes %s', (value) => {
    expect(checkDuration('ms', value)).toBe(value);
  });

  it.each([-1, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY, '5', null, undefined])(
    'refuses %s',
    (value) => {
      expect(outcome(() => checkDuration('ms', value))).toMatch(
        /^ms must be a duration in milliseconds from 0 to 2147483647, got /,
      );
    },
  );
});

describe('checkFunction, checkMethod, checkBoolean, checkText, checkOneOf', () => {
  it('take what fits', () => {
    const call = (): void => {};
    expect(checkFunction('f', call)).toBe(call);
    expect(() => checkMethod('store', { load: call }, 'load')).not.toThrow();
    expect(() =>
      checkMethod(
        'store',
        Object.assign(() => {}, { load: call }),
        'load',
      ),
    ).not.toThrow();
    expect([checkBoolean('b', true), checkBoolean('b', false)]).toEqual([true, false]);
    expect(checkText('t', 'x')).toBe('x');
    expect(checkOneOf('o', 'b', ['a', 'b'])).toBe('b');
  });

  it('refuse what does not', () => {
    expect(outcome(() => checkFunction('f', 5 as never))).toBe('f must be a function, got 5.');
    for (const value of [null, undefined, 5, {}, { load: 1 }]) {
      expect(outcome(() => checkMethod('store', value, 'load'))).toMatch(
        /^store must be an object with load\(\), got /,
      );
    }
    for (const value of [0, 1, 'true', null, undefined]) {
      expect(outcome(() => checkBoolean('b', value))).toMatch(/^b must be true or false, got /);
    }
    for (const value of ['', 5, null, undefined]) {
      expect(outcome(() => checkText('t', value))).toMatch(/^t must be a string that is not empty, got /);
    }
    expect(outcome(() => checkOneOf('o', 'c', ['a', 'b']))).toBe("o must be 'a' or 'b', got \"c\".");
  });
});

describe('checkOptions', () => {
  interface Options {
    readonly a?: number;
    readonly b?: string;
  }

  it('takes known names, and nothing at all', () => {
    const options: Options = { a: 1 };
    expect(checkOptions<Options>('x', options, ['a', 'b'])).toBe(options);
    expect(checkOptions<Options>('x', undefined, ['a', 'b'])).toEqual({});
  });

  it('names a name it does not know, and those it does, but never the value', () => {
    const message = outcome(() =>
      checkOptions<Options>('x', { a: 1, pasword: 'hunter2' } as Options, ['a', 'b']),
    );
    expect(message).toMatch(/^x\.pasword must be one of its known options \(a, b\)/);
    expect(message).not.toContain('hunter2');
  });

  it.each([null, 5, 'a', true, [], () => {}])('refuses %s', (value) => {
    expect(outcome(() => checkOptions('x', value as never, []))).toMatch(
      /^x must be an object of options, got /,
    );
  });
});

describe('checkSignal', () => {
  it('takes a signal, by its shape, and nothing', () => {
    const { signal } = new AbortController();
    expect(checkSignal('signal', signal)).toBe(signal);
    expect(checkSignal('signal', undefined)).toBeUndefined();
    const alike = { aborted: false, addEventListener: () => {} };
    expect(checkSignal('signal', alike)).toBe(alike);
  });

  it.each([null, 5, 'x', {}, new AbortController(), { aborted: true }])('refuses %s', (value) => {
    expect(outcome(() => checkSignal('signal', value))).toMatch(/^signal must be an AbortSignal, got /);
  });
});
