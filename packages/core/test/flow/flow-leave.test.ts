/** Stages that are left while they wait: what they hold is settled once. */

import { describe, expect, it } from 'vitest';
import { LaneBook } from '../../src/delivery/lane.ts';
import { Parcel } from '../../src/delivery/parcel.ts';
import { FlatMapStage } from '../../src/flow/flat-map.ts';
import { type FlowRun, Stage } from '../../src/flow/stage.ts';

describe('FlatMapStage.leave', () => {
  it('has settled what it holds, and answers nothing of it to whoever still waits', async () => {
    const run: FlowRun = {
      concurrency: 1,
      sources: [],
      stages: [],
      isCautious: () => false,
      dropped: () => {},
      deadLetter: undefined,
    };
    const book = new LaneBook(() => {});
    class Input extends Stage<number> {
      override pull(): Parcel<number> {
        return new Parcel([1], book.issue('', 1, 1), null);
      }
    }
    let answer: (items: number[]) => void = () => {};
    const stage = new FlatMapStage<number, number>(
      new Input('input', [], run),
      run,
      () => new Promise((resolve) => void (answer = resolve)),
    );
    const pulled = stage.pull(10);
    stage.leave();
    expect(book.positions().get('')).toBe(1);
    answer([1, 1]);
    const late = await pulled;
    expect(late?.items).toEqual([]);
    // Whoever was left with it settles it, as an asynchronous map does.
    expect(() => late?.settle()).not.toThrow();
  });
});
