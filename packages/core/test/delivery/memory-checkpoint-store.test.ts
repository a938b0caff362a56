import { describe, expect, it } from 'vitest';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';

describe('MemoryCheckpointStore', () => {
  it('fences whoever acquired before, also beyond the third time, and says which checkpoint it was', () => {
    const store = new MemoryCheckpointStore();
    const holders = [1, 2, 3, 4].map(() => store.acquire('mine'));
    const other = store.acquire('another');
    const newest = holders.pop();
    for (const holder of holders) {
      expect(() => holder.save('mine', new Map([['', 1]]))).toThrow(
        expect.objectContaining({ code: 'SW_CHECKPOINT_FENCED', stage: 'mine' }),
      );
    }
    newest?.save('mine', new Map([['', 2]]));
    other.save('another', new Map([['', 3]]));
    expect([store.load('mine').get(''), store.load('another').get('')]).toEqual([2, 3]);
  });
});
