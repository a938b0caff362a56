/** Faults of checkpoints that were found by trying to break them, each kept from coming back. */

import { describe, expect, it } from 'vitest';
import type { CheckpointStore } from '../../src/checkpoint.ts';
import { MemoryCheckpointStore } from '../../src/delivery/memory-checkpoint-store.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import type { Positioned, Source, SourceContext } from '../../src/source.ts';
import { CountingSource, rejection } from '../controlled.ts';
import { useLeakCheck } from '../leak-check.ts';
import { useVirtualClock } from '../virtual-clock.ts';

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
