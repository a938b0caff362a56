/** What is checked of a strategy's answer, by values alone. */

import { describe, expect, it } from 'vitest';
import { checkDispatch } from '../../src/dispatch/check-dispatch.ts';
import type { Dispatch } from '../../src/dispatch/strategy.ts';
import { outlet, type TestOutlet } from './strategy-table.ts';

const ITEMS = [10, 11, 12] as const;
const NOTHING: Dispatch<number> = { taken: 0, deliveries: [] };

function check(answer: Dispatch<number>, outlets: TestOutlet<number>[], from = 0): () => void {
  return () => checkDispatch('own', answer, ITEMS, from, outlets);
}

describe('checkDispatch', () => {
  it('lets an answer pass that takes nothing', () => {
    expect(check(NOTHING, [outlet('a', 1)])).not.toThrow();
    expect(check(NOTHING, [])).not.toThrow();
  });

  it('counts what waits from the first item that does, and names the strategy', () => {
    expect(check({ taken: 1, deliveries: [] }, [outlet('a', 1)], 2)).not.toThrow();
    expect(check({ taken: 2, deliveries: [] }, [outlet('a', 1)], 2)).toThrow(
      expect.objectContaining({
        code: 'SW_STRATEGY_INVALID',
        stage: 'own',
        message: expect.stringContaining("'own' took 2 of 1 items (D1)"),
      }),
    );
  });

  it.each<[string, boolean, TestOutlet<number>[]]>([
    ['none has demand', false, [outlet('a', 0), outlet('b', 0)]],
    ['nobody is there', false, []],
    ['one has demand', true, [outlet('a', 0), outlet('b', 1)]],
    ['one may not want them', true, [outlet('a', 0), outlet('b', 0, () => false)]],
  ])('takes an item for taken though nobody is given it, where %s: %s', (_, isRight, outlets) => {
    const checking = expect(check({ taken: 1, deliveries: [] }, outlets));
    if (isRight) checking.not.toThrow();
    else checking.toThrow('without demand for any (D7)');
  });
});
