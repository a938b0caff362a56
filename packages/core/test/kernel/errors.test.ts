import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import {
  describe as describeValue,
  ERROR_CODES,
  isStreamWeldError,
  OptionError,
  StreamWeldError,
  suppress,
  WriteError,
  wrapError,
} from '../../src/errors.ts';

describe('ERROR_CODES', () => {
  it('are all SW_NOUN_STATE, each with a sentence', () => {
    for (const [code, sentence] of Object.entries(ERROR_CODES)) {
      expect(code).toMatch(/^SW_[A-Z]+(_[A-Z]+)+$/);
      expect(sentence).toMatch(/^[A-Z].*\.$/);
    }
  });
});

describe('StreamWeldError', () => {
  it('has a code, a stage and the cause, whatever that is', () => {
    for (const cause of [new Error('x'), 'text', null, undefined, 0]) {
      const error = new StreamWeldError('SW_SINK_FAILED', 'No.', { stage: 'sink', cause });
      expect(error).toMatchObject({ code: 'SW_SINK_FAILED', stage: 'sink', message: 'No.', suppressed: [] });
      expect('cause' in error).toBe(true);
      expect(error.cause).toBe(cause);
    }
    expect('cause' in new StreamWeldError('SW_SINK_FAILED', 'No.')).toBe(false);
  });

  it('is recognised by its brand, also where it comes from another copy of the package', async () => {
    vi.resetModules();
    const copy = (await import('../../src/errors.ts')) as typeof import('../../src/errors.ts');
    const foreign = new copy.StreamWeldError('SW_SINK_FAILED', 'No.');
    expect(copy.StreamWeldError).not.toBe(StreamWeldError);
    expect(foreign).toBeInstanceOf(StreamWeldError);
    expect(isStreamWeldError(foreign)).toBe(true);
    expect(foreign).not.toBeInstanceOf(WriteError);
  });

  it.each([undefined, null, 5, 'text', {}, new Error('x'), { code: 'SW_SINK_FAILED' }])(
    'is not %s',
    (value) => {
      expect(isStreamWeldError(value)).toBe(false);
      expect(value).not.toBeInstanceOf(StreamWeldError);
    },
  );

  it('is told apart from its subclasses', () => {
    const plain = new StreamWeldError('SW_SINK_FAILED', 'No.');
    const write = new WriteError('No.', { failed: [3] });
    expect(write).toBeInstanceOf(StreamWeldError);
    expect(write).toBeInstanceOf(WriteError);
    expect(plain).not.toBeInstanceOf(WriteError);
  });
});

describe('WriteError', () => {
  it('may be written again unless it says otherwise', () => {
    expect(new WriteError('No.')).toMatchObject({
      code: 'SW_SINK_FAILED',
      retryable: true,
      failed: undefined,
    });
    expect(new WriteError('No.', { retryable: false, failed: [0, 2] })).toMatchObject({
      retryable: false,
      failed: [0, 2],
    });
  });
});

describe('OptionError', () => {
  it('is a RangeError and one of ours, and names option, expected and got', () => {
    const error = new OptionError('bufferSize', 'a whole number of at least 1', -1, 'Use 1 for no buffer.');
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toBeInstanceOf(StreamWeldError);
    expect(error.message).toBe(
      'bufferSize must be a whole number of at least 1, got -1. Use 1 for no buffer.',
    );
    expect(error).toMatchObject({ code: 'SW_OPTION_INVALID', option: 'bufferSize', suppressed: [] });
  });
});

describe('wrapError', () => {
  it('passes on what is ours, and is around anything else', () => {
    const ours = new StreamWeldError('SW_ITEM_INVALID', 'x');
    expect(wrapError('SW_SINK_FAILED', 'stage', 'message', ours)).toBe(ours);
    const option = new OptionError('a', 'b', 1);
    expect(wrapError('SW_SINK_FAILED', 'stage', 'message', option)).toBe(option);
    for (const cause of [
      undefined,
      null,
      'text',
      Object.freeze(new Error('x')),
      runInNewContext('new Error("x")'),
    ]) {
      expect(wrapError('SW_SINK_FAILED', 'stage', 'message', cause)).toMatchObject({
        code: 'SW_SINK_FAILED',
        stage: 'stage',
        message: 'message',
        cause,
      });
    }
  });

  it('never copies what somebody else threw into its message', () => {
    const error = wrapError('SW_SINK_FAILED', 'sink', 'The sink failed.', new Error('password=hunter2'));
    expect(error.message).not.toContain('hunter2');
  });
});

describe('suppress', () => {
  it('notes later failures in order, each once', () => {
    const first = new StreamWeldError('SW_SINK_FAILED', 'first');
    const [a, b] = [new Error('a'), undefined];
    suppress(first, a);
    suppress(first, b);
    suppress(first, a);
    suppress(first, first);
    expect(first.suppressed).toEqual([a, b]);
  });

  it('leaves alone what is not ours, and what is frozen', () => {
    const foreign = new Error('x');
    suppress(foreign, 1);
    expect(Object.keys(foreign)).toEqual([]);
    suppress(undefined, 1);
    const frozen = new StreamWeldError('SW_SINK_FAILED', 'x');
    Object.freeze(frozen);
    Object.freeze(frozen.suppressed);
    expect(() => suppress(frozen, 1)).not.toThrow();
    expect(frozen.suppressed).toEqual([]);
  });
});

describe('describe', () => {
  it.each([
    [5, '5'],
    [Number.NaN, 'NaN'],
    [-0.5, '-0.5'],
    [true, 'true'],
    [undefined, 'undefined'],
    [null, 'null'],
    [12n, '12n'],
    ['text', '"text"'],
    ['x'.repeat(41), 'a string of 41 characters'],
    [() => {}, 'a function'],
    [Symbol('secret'), 'a symbol'],
    [[1, 2], 'an array of 2'],
    [{ secret: 1 }, 'an object'],
  ])('says %s as %s', (value, text) => {
    expect(describeValue(value)).toBe(text);
  });
});
