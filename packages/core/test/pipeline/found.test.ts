/** Faults of checkpoints that were found by trying to break them, each kept from coming back. */

import { describe, expect, it } from 'vitest';
import { BatchChannel } from '../../src/channel/batch-channel.ts';
import type { CheckpointStore } from '../../src/checkpoint.ts';
import { LaneBook } from '../../src/delivery/lane.ts';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { Parcel } from '../../src/delivery/parcel.ts';
import { Holdings, WholeBatches } from '../../src/delivery/whole.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Positioned, Source, SourceContext } from '../../src/source.ts';
import { WholeIntake } from '../../src/task/whole-intake.ts';
import { CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../clock.ts';

const time = useVirtualClock();
useLeakCheck(time);

/** One item, and a record of where it was told to resume. */
class OneItem implements Source<number, string> {
  readonly name: string;
  resumed: ReadonlyMap<string, string> | undefined;
  #isOver = false;

  constructor(name: string) {
    this.name = name;
  }

  open({ positions }: SourceContext<string>): void {
    this.resumed = positions;
  }

  pull(): Positioned<number, string> | undefined {
    if (this.#isOver) return undefined;
    this.#isOver = true;
    return { items: [1], position: `after ${this.name}`, lane: 'x' };
  }
}

describe('two sources of which one is named like a part of the other', () => {
  it('each get their own positions back', async () => {
    const store = new MemoryCheckpointStore();
    const run = async (): Promise<readonly OneItem[]> => {
      const sources = [new OneItem('logs'), new OneItem('logs/old')] as const;
      const flow = from(sources[0]).merge(sources[1]);
      await time().run(new ConcurrentPipeline(flow, () => {}).checkpoint(store, 'both').run());
      return sources;
    };
    await run();
    const again = await run();
    expect(again.map(({ resumed }) => [...(resumed ?? [])])).toEqual([
      [['x', 'after logs']],
      [['x', 'after logs/old']],
    ]);
  });
});

describe('a store that answers no map', () => {
  it('is named, and not the sink', async () => {
    const store = { load: () => ({ '': 5 }), save: () => {} } as unknown as CheckpointStore;
    const run = new ConcurrentPipeline(new CountingSource(3), () => {}).checkpoint(store, 'job').run();
    expect(await time().run(rejection(run))).toMatchObject({ code: 'SW_CHECKPOINT_FAILED', stage: 'job' });
  });
});

describe('a source batch that comes in many pieces and is to be written whole', () => {
  it('is looked for once, when the last of them is there, and not at each of them', () => {
    const pieces = 1000;
    const channel = new BatchChannel<Parcel<number>>(pieces);
    const batches = new WholeBatches();
    let looks = 0;
    const intake = new WholeIntake<number>({
      channel,
      holdings: new Holdings(),
      choose: (pending) => {
        looks += 1;
        return batches.choose(pending);
      },
    });
    const receipt = new LaneBook(() => {}).issue('', 1, pieces);
    receipt.retain(pieces - 1);
    const taken: (number | undefined)[] = [];
    for (let item = 0; item < pieces; item++) {
      channel.push(new Parcel([item], receipt, null));
      taken.push(intake.take(pieces)?.items.length);
    }
    expect(taken.filter((items) => items !== undefined)).toEqual([pieces]);
    expect([looks, receipt.pieces]).toEqual([1, 1]);
  });
});
