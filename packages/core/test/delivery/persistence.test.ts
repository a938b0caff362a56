import { describe, expect, it } from 'vitest';
import { Persistence } from '../../src/delivery/persistence.ts';
import { StreamWeldError } from '../../src/errors.ts';
import { useVirtualClock } from '../clock.ts';
import { rejection } from '../controlled.ts';

const time = useVirtualClock();

/** A call that fails so often, with each of these in turn, and says when it was made. */
function failing(...errors: readonly unknown[]) {
  const at: number[] = [];
  const began = time().now();
  return {
    at,
    call: async (): Promise<void> => {
      at.push(time().now() - began);
      if (at.length <= errors.length) throw errors[at.length - 1];
    },
  };
}

describe('Persistence', () => {
  it('answers at once where the call does', () => {
    expect(new Persistence().try(() => {})).toBeUndefined();
  });

  it('tries five times, each wait twice as long as the one before, and throws what came last', async () => {
    const errors = [1, 2, 3, 4, 5].map((n) => new Error(`refusal ${n}`));
    const { at, call } = failing(...errors);
    const failure = rejection(Promise.resolve(new Persistence().try(call)));
    await time().advance(10_000);
    expect(await failure).toBe(errors[4]);
    expect(at).toEqual([0, 100, 300, 700, 1500]);
  });

  it('tries again what throws instead of rejecting', async () => {
    let calls = 0;
    const answer = new Persistence().try(() => {
      calls += 1;
      if (calls === 1) throw new Error('not yet');
    });
    await time().advance(100);
    await answer;
    expect(calls).toBe(2);
  });

  it.each([
    ['a store that another has taken over', new StreamWeldError('SW_CHECKPOINT_FENCED', 'gone', {})],
    ['an error that says so', Object.assign(new Error('never'), { retryable: false })],
  ])('does not try again where another attempt cannot help: %s', async (_, error) => {
    const { at, call } = failing(error);
    expect(await rejection(Promise.resolve(new Persistence().try(call)))).toBe(error);
    expect(at).toEqual([0]);
    const throws = (): void => {
      throw error;
    };
    expect(() => new Persistence().try(throws)).toThrow(error);
  });

  it.each([
    ['an error that may be tried again', Object.assign(new Error('later'), { retryable: true })],
    ['null', null],
    ['undefined', undefined],
    ['a text', 'no'],
    ['another code', new StreamWeldError('SW_SINK_FAILED', 'no', {})],
  ])('tries again whatever else is thrown: %s', async (_, error) => {
    const { at, call } = failing(error);
    const answer = new Persistence().try(call);
    await time().advance(100);
    await answer;
    expect(at).toEqual([0, 100]);
  });

  it('waits for nothing once it is in a hurry, and tries once', async () => {
    const persistence = new Persistence();
    const errors = [new Error('one'), new Error('two')];
    const { at, call } = failing(...errors);
    const failure = rejection(Promise.resolve(persistence.try(call)));
    await time().advance(50);
    persistence.hurry();
    expect(await failure).toBe(errors[1]);
    expect(at).toEqual([0, 50]);
    const last = new Error('three');
    const throws = (): void => {
      throw last;
    };
    expect(() => persistence.try(throws)).toThrow(last);
  });
});
