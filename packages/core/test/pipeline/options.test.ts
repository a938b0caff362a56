/** What a pipeline answers to wrong use: at the door, with a code, the option, what was expected and what was given. */

import { describe, expect, it } from 'vitest';
import { StreamWeldError } from '../../src/errors.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';

useLeakCheck();

const make = (): ConcurrentPipeline<number> => new ConcurrentPipeline<number>([1, 2, 3], () => {});

/** The code and message of what a call throws. */
function thrown(call: () => unknown): { code: string; message: string } {
  try {
    call();
  } catch (error) {
    if (error instanceof StreamWeldError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('Expected it to throw.');
}

describe('ConcurrentPipeline options', () => {
  const counts = ['bufferSize', 'maxConcurrency', 'maxUncommitted'] as const;

  it.each(counts.flatMap((option) => [0, -1, 1.5, Number.NaN, '5'].map((got) => ({ option, got }))))(
    '$option refuses $got and names option, expected and got',
    ({ option, got }) => {
      const error = thrown(() => make()[option](got as number));
      expect(error.code).toBe('SW_OPTION_INVALID');
      expect(error.message).toBe(
        `${option} must be a whole number of at least 1, got ${typeof got === 'string' ? '"5"' : got}.`,
      );
    },
  );
});

describe('ConcurrentPipeline.run', () => {
  it('runs once', async () => {
    const pipeline = make();
    await pipeline.run();
    expect(await rejection(pipeline.run())).toMatchObject({ code: 'SW_PIPELINE_STARTED' });
  });
});
