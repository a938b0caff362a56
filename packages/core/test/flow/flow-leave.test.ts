/** Stages that are left while they wait: what they hold is settled once. */

import { describe, expect, it } from 'vitest';
import { Deferred } from '../../src/deferred.ts';
import { LaneBook } from '../../src/delivery/lane.ts';
import { Parcel } from '../../src/delivery/parcel.ts';
import { BatchStage } from '../../src/flow/batch.ts';
import { FlatMapStage } from '../../src/flow/flat-map.ts';
import { type FlowRun, Stage } from '../../src/flow/stage.ts';
import { ThroughStage } from '../../src/flow/through.ts';

const createRun = (): FlowRun => ({
  concurrency: 1,
  sources: [],
  stages: [],
  isCautious: () => false,
  dropped: () => {},
  deadLetter: undefined,
});

describe('FlatMapStage.leave', () => {
  it('has settled what it holds, and answers nothing of it to whoever still waits', async () => {
    const run = createRun();
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

describe('BatchStage.leave', () => {
  it.each([
    ['an item', [3]],
    ['the end', undefined],
  ] as const)('asks no more, and answers the end, when what it waited for is %s', async (_, items) => {
    const run = createRun();
    const book = new LaneBook(() => {});
    const issue = (item: number): Parcel<number> => new Parcel([item], book.issue('', 1, item), null);
    let answer: (parcel: Parcel<number> | undefined) => void = () => {};
    let pulls = 0;
    class Input extends Stage<number> {
      override pull(): Parcel<number> | undefined | Promise<Parcel<number> | undefined> {
        pulls += 1;
        if (pulls === 1) return issue(1);
        if (pulls === 2) return new Promise((resolve) => void (answer = resolve));
        // Who asks for ever would never be heard of again.
        if (pulls > 10) throw new Error('asked again and again');
        return undefined;
      }
    }
    const stage = new BatchStage<number>(new Input('input', [], run), run, 3, undefined);
    const pulled = stage.pull();
    stage.leave();
    answer(items === undefined ? undefined : issue(items[0]));
    expect(await pulled).toBe(undefined);
    expect([pulls, book.openLanes()]).toEqual([2, []]);
  });
});

describe('ThroughStage.leave', () => {
  it.each(['input', 'processor'] as const)(
    'settles what its %s answers after that, and holds nothing back',
    async (late) => {
      const run = createRun();
      const book = new LaneBook(() => {});
      const parcel = new Parcel([1], book.issue('', 1, 1), null);
      const waiting = new Deferred();
      class Input extends Stage<number> {
        override pull(): Parcel<number> | Promise<Parcel<number>> {
          return late === 'input' ? waiting.promise.then(() => parcel) : parcel;
        }
      }
      const stage = new ThroughStage<number, number>(new Input('input', [], run), run, {
        process: (batch) => (late === 'input' ? batch : waiting.promise.then(() => batch)),
        flush: () => [],
        holdsBack: () => true,
      });
      const pulled = stage.pull(10);
      stage.leave();
      waiting.resolve();
      expect((await pulled)?.items).toEqual([]);
      expect(book.openLanes()).toEqual([]);
    },
  );
});
