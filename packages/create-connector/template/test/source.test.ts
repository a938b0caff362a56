import { collect, ConcurrentPipeline, MemoryCheckpointStore } from '@streamweld/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TemplateNameSource } from '../src/source.ts';
import { Service } from './service.ts';

let service: Service;
beforeEach(() => {
  service = new Service();
});
afterEach(() => service.stop());

async function readAll(log: string, store?: MemoryCheckpointStore): Promise<readonly string[]> {
  const sink = collect<string>();
  const pipeline = new ConcurrentPipeline(new TemplateNameSource(service.options(log)), sink);
  await (store === undefined ? pipeline : pipeline.checkpoint(store, 'reading')).run();
  return sink.items;
}

describe('TemplateNameSource', () => {
  it('reads a log to its end, in order', async () => {
    const items = service.seed('orders', 2500);
    expect(await readAll('orders')).toEqual(items);
  });

  it('reads nothing from a log that is empty', async () => {
    expect(await readAll('empty')).toEqual([]);
  });

  it('goes on where the run before it was', async () => {
    const store = new MemoryCheckpointStore();
    const first = service.seed('orders', 10);
    expect(await readAll('orders', store)).toEqual(first);
    const all = service.seed('orders', 5);
    expect(await readAll('orders', store)).toEqual(all.slice(10));
  });

  it('refuses the checkpoint of another log, and says what to do', async () => {
    const store = new MemoryCheckpointStore();
    service.seed('long', 10);
    await readAll('long', store);
    service.seed('short', 3);
    await expect(readAll('short', store)).rejects.toMatchObject({
      code: 'SW_TEMPLATE_NAME_POSITION_INVALID',
      message: expect.stringMatching(/which has 3 items.*or remove it/),
    });
  });
});
