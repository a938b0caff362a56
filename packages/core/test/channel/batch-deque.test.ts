import { describe, expect, it } from 'vitest';
import { type Batch, BatchDeque } from '../../src/channel/batch-deque.ts';

class Numbers implements Batch {
  readonly items: readonly number[];

  constructor(...items: readonly number[]) {
    this.items = items;
  }

  cut(from: number, to: number): this {
    return new Numbers(...this.items.slice(from, to)) as this;
  }
}

function dequeOf(...batches: readonly Numbers[]): BatchDeque<Numbers> {
  const deque = new BatchDeque<Numbers>();
  for (const batch of batches) deque.push(batch);
  return deque;
}

describe('BatchDeque', () => {
  it('keeps the order of batches when it grows, wherever its front is', () => {
    for (const taken of [0, 3, 5]) {
      const deque = dequeOf(...Array.from({ length: 8 }, (_, i) => new Numbers(i)));
      for (let i = 0; i < taken; i++) expect(deque.shift(1)?.items).toEqual([i]);
      for (let i = 8; i < 30; i++) deque.push(new Numbers(i));
      const rest: number[] = [];
      for (let batch = deque.shift(9); batch !== undefined; batch = deque.shift(9)) rest.push(...batch.items);
      expect(rest).toEqual(Array.from({ length: 30 - taken }, (_, i) => i + taken));
    }
  });

  it('knows its newest batch, past the end of its ring too', () => {
    const deque = new BatchDeque<Numbers>();
    expect(deque.last).toBeUndefined();
    for (let i = 0; i < 40; i++) {
      const batch = new Numbers(i);
      deque.push(batch);
      expect(deque.last).toBe(batch);
      if (i % 2 === 1) deque.shift(1);
    }
  });

  it('counts batches, empty ones too, and items, appended ones too', () => {
    const deque = dequeOf(new Numbers(1, 2), new Numbers());
    expect([deque.batches, deque.items]).toEqual([2, 2]);
    deque.countAppended();
    expect(deque.items).toBe(3);
    deque.shift(1);
    expect([deque.batches, deque.items]).toEqual([2, 2]);
  });
});
