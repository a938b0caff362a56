import { describe, expect, it } from 'vitest';
import { from } from '../../src/flow/flow.ts';

describe('Flow.map', () => {
  it('turns every item into what the function answers', async () => {
    const seen: number[] = [];
    for await (const n of from([1, 2, 3]).map((n) => n * 2)) seen.push(n);
    expect(seen).toEqual([2, 4, 6]);
  });
});
