import { threadId } from 'node:worker_threads';
import { from } from '@streamweld/core';
import { inWorkers } from '@streamweld/workers';
import { describe, expect, it } from 'vitest';
import type batches from './children/batches.js';
import type bytes from './children/bytes.js';
import type gate from './children/gate.js';
import type work from './children/work.js';
import { child, Items, ran, reached, shared, upTo } from './run.ts';

const work2 = () => inWorkers<typeof work>(child('work.js'), { threads: 2 });

describe('inWorkers', () => {
  it('does the work on threads, and hands results on in the order of the items', async () => {
    const source = new Items(upTo(1000).map((n) => ({ n })));
    const { items } = await ran(from(source).through(work2()));
    expect(items.map(({ n }) => n)).toEqual(upTo(1000));
    const threads = new Set(items.map(({ thread }) => thread));
    expect(threads.size).toBe(2);
    expect(threads).not.toContain(threadId);
    expect(source.commits.at(-1)).toBe(1000);
  });

  it('hands results on as they come, where order does not count', async () => {
    const { items } = await ran(from(upTo(300).map((n) => ({ n }))).through(work2(), { ordered: false }));
    expect(items.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(upTo(300));
  });

  it('sends a message for a batch, and shares out to its threads what is less', async () => {
    const stage = inWorkers<typeof batches>(child('batches.js'), {
      threads: 2,
      batchSize: 30,
      takes: 'batch',
    });
    const sizes = async (count: number): Promise<string[]> =>
      (await ran(from(upTo(count)).through(stage))).items.filter((item) => typeof item === 'string');
    expect(await sizes(12)).toEqual(['3', '3', '3', '3']);
    expect(await sizes(200)).toEqual(['30', '30', '30', '30', '30', '30', '20']);
  });

  it('holds two batches for each thread, and asks for no more while nobody is done', async () => {
    const data = shared(2);
    const source = new Items(upTo(1000));
    const stage = inWorkers<typeof gate>(child('gate.js'), { threads: 2, batchSize: 5, data });
    const running = ran(from(source).through(stage));
    await reached(data, 1, 2);
    // Both threads stand in their first item.
    expect(data[1]).toBe(2);
    // Half the buffer of the pipeline, which is a hundred at a time here.
    expect(source.handedOut).toBe(100);
    data[0] = 1;
    Atomics.notify(data, 0);
    expect((await running).items).toEqual(upTo(1000));
  });

  it('runs again, with threads of its own, what was run before', async () => {
    const flow = from([{ n: 1 }, { n: 2 }]).through(work2());
    expect((await ran(flow)).items.map(({ n }) => n)).toEqual([1, 2]);
    expect((await ran(flow)).items.map(({ n }) => n)).toEqual([1, 2]);
  });

  it('ends its threads when a stage after it has enough', async () => {
    const { items } = await ran(
      from(new Items(upTo(5000).map((n) => ({ n }))))
        .through(work2())
        .take(5),
    );
    expect(items.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4]);
  });

  it('starts no thread where there is no item', async () => {
    const nowhere = inWorkers<typeof work>(child('nowhere.js'));
    expect((await ran(from<{ n: number }>([]).through(nowhere))).items).toEqual([]);
  });

  it('gives every call its data', async () => {
    const data = shared(2);
    data[0] = 1;
    const stage = inWorkers<typeof gate>(child('gate.js'), { threads: 1, data });
    await ran(from(upTo(10)).through(stage));
    expect(data[1]).toBe(10);
  });
});

describe('ThreadContext.transfer', () => {
  const run = async (how: 'copy' | 'move' | 'named' | 'part' | 'floats' | 'buffer') => {
    const items = [1, 2].map(() => ({ bytes: Uint8Array.of(1, 2, 3, 4), how }));
    // A batch at a time: what is moved, is moved when the batch is answered.
    const stage = inWorkers<typeof bytes>(child('bytes.js'), { threads: 1, batchSize: 1 });
    return (await ran(from(items).through(stage))).items;
  };

  it.each([
    ['copy', 4],
    ['move', 0],
    ['named', 0],
  ] as const)('moves a buffer back, and leaves the thread without it: %s', async (how, left) => {
    expect(await run(how)).toEqual([
      { bytes: Uint8Array.of(2, 4, 6, 8), before: undefined },
      { bytes: Uint8Array.of(2, 4, 6, 8), before: left },
    ]);
  });

  it.each([
    ['part', Uint8Array.of(4, 6)],
    ['floats', Float64Array.of(2, 3)],
    ['buffer', Uint8Array.of(97, 98)],
  ] as const)('copies a part of a larger buffer, and no more of it: %s', async (how, part) => {
    const [first] = await run(how);
    expect(first?.bytes).toEqual(part);
    expect(first?.bytes.buffer.byteLength).toBe(part.byteLength);
  });

  it('refuses an item whose result transfers what is not there any more, and lets the others go on', async () => {
    const items = (['copy', 'twice', 'move'] as const).map((how) => ({ bytes: Uint8Array.of(1), how }));
    const stage = inWorkers<typeof bytes>(child('bytes.js'), { threads: 1, batchSize: 1 });
    const { items: results, letters } = await ran(from(items).through(stage, { onError: 'deadLetter' }));
    expect(results.map(({ bytes: [byte] }) => byte)).toEqual([2, 2]);
    expect(letters.map(({ error }) => error.code)).toEqual(['SW_WORKERS_RESULT_UNCLONEABLE']);
  });
});

describe('WorkersOptions.transfer', () => {
  const make = () => upTo(10).map(() => ({ bytes: new Uint8Array(4).fill(3), how: 'copy' as const }));

  it('moves what it names of an item, and copies a part of a larger buffer', async () => {
    const whole = make();
    const buffer = new ArrayBuffer(8);
    const parts = [0, 4].map((at) => ({
      bytes: new Uint8Array(buffer, at, 4).fill(3),
      how: 'copy' as const,
    }));
    const stage = inWorkers<typeof bytes>(child('bytes.js'), {
      threads: 2,
      transfer: (item) => [item.bytes],
    });
    const { items } = await ran(from([...whole, ...parts]).through(stage));
    expect(items.map((item) => item.bytes)).toEqual(upTo(12).map(() => new Uint8Array(4).fill(6)));
    expect(whole.map((item) => item.bytes.byteLength)).toEqual(upTo(10).map(() => 0));
    expect(buffer.byteLength).toBe(8);
  });

  it('copies without it', async () => {
    const whole = make();
    await ran(from(whole).through(inWorkers<typeof bytes>(child('bytes.js'), { threads: 2 })));
    expect(whole.map((item) => item.bytes.byteLength)).toEqual(upTo(10).map(() => 4));
  });

  it('refuses items that were moved before', async () => {
    const [item] = make() as [ReturnType<typeof make>[number]];
    structuredClone(item.bytes, { transfer: [item.bytes.buffer] });
    const stage = inWorkers<typeof bytes>(child('bytes.js'), {
      threads: 1,
      transfer: ({ bytes: all }) => [all],
    });
    const { letters } = await ran(from([item]).through(stage, { onError: 'deadLetter' }));
    expect(letters.map(({ error }) => error.code)).toEqual(['SW_WORKERS_ITEM_UNCLONEABLE']);
    expect(letters[0]?.error.message).toContain('at bytes it has bytes that were moved away before');
  });
});
