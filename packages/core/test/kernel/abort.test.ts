import { describe, expect, it } from 'vitest';
import { onAbort } from '../../src/abort.ts';
import { listenersOf, useLeakCheck } from '../leak-check.ts';

const leaks = useLeakCheck();

describe('onAbort', () => {
  it('calls back once, with the reason', () => {
    const controller = leaks.controller();
    const calls: unknown[] = [];
    onAbort(controller.signal, (reason) => calls.push(reason));
    const reason = new Error('enough');
    controller.abort(reason);
    controller.abort(new Error('again'));
    expect(calls).toEqual([reason]);
  });

  it('calls back at once where the signal is aborted already, and leaves no listener', () => {
    const controller = leaks.controller();
    controller.abort('over');
    const calls: unknown[] = [];
    const forget = onAbort(controller.signal, (reason) => calls.push(reason));
    expect(calls).toEqual(['over']);
    forget();
  });

  it('[fault 96] has one listener for a thousand waiters, and none when the last has gone', () => {
    const { signal } = leaks.controller();
    const forgets = Array.from({ length: 1000 }, () => onAbort(signal, () => {}));
    expect(listenersOf(signal)).toBe(1);
    const last = forgets.pop();
    for (const forget of forgets) forget();
    expect(listenersOf(signal)).toBe(1);
    last?.();
    expect(listenersOf(signal)).toBe(0);
  });

  it('does not call who has taken the wish back', () => {
    const controller = leaks.controller();
    const calls: string[] = [];
    const forget = onAbort(controller.signal, () => calls.push('gone'));
    onAbort(controller.signal, () => calls.push('here'));
    forget();
    forget();
    controller.abort();
    expect(calls).toEqual(['here']);
  });

  it('lets the same function wait twice, each by itself', () => {
    const controller = leaks.controller();
    let calls = 0;
    const count = (): void => void (calls += 1);
    const first = onAbort(controller.signal, count);
    onAbort(controller.signal, count);
    first();
    controller.abort();
    expect(calls).toBe(1);
  });

  it('begins anew after the last waiter has gone', () => {
    const controller = leaks.controller();
    onAbort(controller.signal, () => {})();
    let calls = 0;
    onAbort(controller.signal, () => void (calls += 1));
    expect(listenersOf(controller.signal)).toBe(1);
    controller.abort();
    expect(calls).toBe(1);
  });

  it('survives waiters that come and go from within a callback', () => {
    const controller = leaks.controller();
    const calls: string[] = [];
    let second = (): void => {};
    onAbort(controller.signal, () => {
      calls.push('first');
      second();
      onAbort(controller.signal, () => calls.push('late'));
    });
    second = onAbort(controller.signal, () => calls.push('second'));
    controller.abort();
    expect(calls[0]).toBe('first');
    expect(calls).toContain('late');
    expect(new Set(calls).size).toBe(calls.length);
  });
});
