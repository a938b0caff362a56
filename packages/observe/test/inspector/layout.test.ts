import { describe, expect, it } from 'vitest';
import { layOut } from '../../src/inspector/page/layout.ts';

const edge = (from: string, to: string, buffer?: object) => ({ from, to, buffer });

describe('layOut', () => {
  it('puts each stage right of all that lead to it, and nothing on anything else', () => {
    const edges = [edge('a', 'c'), edge('c', 'd'), edge('b', 'd'), edge('d', 'e', {}), edge('d', 'f', {})];
    const { stages, width, height } = layOut(['a', 'b', 'c', 'd', 'e', 'f'], edges);
    const at = (id: string) => stages.get(id) ?? { x: 0, y: 0, width: 0, height: 0 };
    for (const { from, to } of edges) expect(at(to).x).toBeGreaterThan(at(from).x + at(from).width);
    const boxes = [...stages.values()];
    for (const [index, one] of boxes.entries()) {
      expect(one.x + one.width).toBeLessThan(width);
      expect(one.y + one.height).toBeLessThan(height);
      for (const other of boxes.slice(index + 1))
        expect(one.x === other.x && Math.abs(one.y - other.y) < one.height).toBe(false);
    }
    // There is room for a buffer where there is one.
    expect(at('e').x - at('d').x).toBeGreaterThan(at('d').x - at('c').x);
    expect(at('a').x).toBe(at('b').x);
  });

  it('draws less of each where many stand above each other', () => {
    const ids = ['source', ...Array.from({ length: 48 }, (_, n) => `sink ${n}`)];
    const edges = ids.slice(1).map((id) => edge('source', id, {}));
    const { isCompact, stages } = layOut(ids, edges);
    expect(isCompact).toBe(true);
    expect(layOut(ids.slice(0, 5), edges).isCompact).toBe(false);
    // What leads to all of them is seen without scrolling.
    expect(stages.get('source')?.y).toBeLessThan(300);
  });

  it('comes to an end with circles, edges to nowhere, and nothing at all', () => {
    expect(layOut(['a', 'b'], [edge('a', 'b'), edge('b', 'a'), edge('x', 'a')]).stages.size).toBe(2);
    expect(layOut([], []).stages.size).toBe(0);
  });
});
