import { describe, expect, it } from 'vitest';
import { collect } from '../../src/builtin/sinks.ts';
import { from } from '../../src/flow/flow.ts';
import { ConcurrentPipeline } from '../../src/pipeline/concurrent-pipeline.ts';
import { ControlledSource } from '../controlled.ts';
import { iterate, ListSource, pipe, settle, upTo } from './instruments.ts';

describe('Flow.merge', () => {
  it('takes turns, so that no branch that always has items starves another', async () => {
    const endless = (name: string) => ({
      name,
      pull: (demand: number) => new Array<string>(demand).fill(name),
    });
    const items = await pipe(from(endless('a')).merge(endless('b'), endless('c')).take(600), {
      bufferSize: 60,
    });
    for (const name of ['a', 'b', 'c'])
      expect(items.filter((item) => item === name).length).toBeGreaterThan(190);
  });

  it('hands on what one branch has while another waits, and goes on when one has ended', async () => {
    const slow = new ControlledSource<number>();
    const sink = collect<number>();
    const run = new ConcurrentPipeline(from([1, 2]).merge(slow), sink).run();
    await settle();
    expect(sink.items).toEqual([1, 2]);
    slow.lastPull.answer([3]);
    await settle();
    expect(sink.items).toEqual([1, 2, 3]);
    slow.lastPull.answer(undefined);
    expect((await run).written).toBe(3);
    expect(slow.breaches).toEqual([]);
  });

  it('never answers more than it is asked for, whatever its branches were asked before', async () => {
    const slow = new ControlledSource<number>();
    const ready = new ListSource(upTo(90), { size: () => 3 });
    const arrays: number[] = [];
    const flow = from<number>(ready).merge(slow).batch(7);
    const run = new ConcurrentPipeline(flow, (batch: readonly (readonly number[])[]) => {
      for (const array of batch) arrays.push(array.length);
    }).run();
    await settle();
    slow.lastPull.answer(upTo(slow.lastPull.demand));
    await settle();
    slow.lastPull.answer(undefined);
    await run;
    expect(Math.max(...arrays)).toBe(7);
  });

  it('fails with the branch that fails, closes all, and leaves no rejection unhandled', async () => {
    const well = new ControlledSource<number>();
    const broken = new ControlledSource<number>();
    const run = new ConcurrentPipeline(from(well).merge(broken), collect()).closeMs(0).run();
    run.catch(() => {});
    await settle();
    const cause = new Error('broken');
    broken.lastPull.fail(cause);
    await settle();
    well.lastPull.fail(new Error('later'));
    await expect(run).rejects.toMatchObject({ code: 'SW_SOURCE_FAILED', cause });
    expect(well.closedWith).toHaveLength(1);
    expect(broken.closedWith).toHaveLength(1);
  });

  it('keeps the positions of each branch', async () => {
    const first = new ListSource(upTo(20), { size: () => 3 });
    const second = new ListSource(upTo(30), { size: () => 4, isAsync: () => true });
    const report = await new ConcurrentPipeline(from<number>(first).merge(second), collect()).run();
    expect([...report.positions.values()]).toEqual([20, 30]);
    expect([first.commits.at(-1), second.commits.at(-1)]).toEqual([20, 30]);
  });
});

describe('Flow.concat', () => {
  it('takes one flow after the other', async () => {
    const flow = from([1, 2]).concat(
      from([3]).map(async (n) => n),
      new Set([4, 5]),
    );
    expect(await pipe(flow)).toEqual([1, 2, 3, 4, 5]);
    expect(await iterate(flow)).toEqual([1, 2, 3, 4, 5]);
  });

  it('asks the next only when the one before has ended', async () => {
    const first = new ControlledSource<number>();
    const second = new ListSource([9]);
    const run = pipe(from<number>(first).concat(second));
    await settle();
    first.lastPull.answer([1]);
    await settle();
    expect(second.demands).toEqual([]);
    first.lastPull.answer(undefined);
    expect(await run).toEqual([1, 9]);
  });
});
