import { collect, ConcurrentPipeline } from '@streamweld/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TemplateNameSink } from '../src/sink.ts';
import { TemplateNameSource } from '../src/source.ts';
import { Service } from './service.ts';

let service: Service;
beforeEach(() => {
  service = new Service();
});
afterEach(() => service.stop());

describe('a request that is lost', () => {
  it('fails the run of a source, with a code and the cause', async () => {
    service.seed('orders', 3);
    const source = new TemplateNameSource(service.options('orders'));
    service.interrupt();
    await expect(new ConcurrentPipeline(source, collect()).run()).rejects.toMatchObject({
      code: 'SW_TEMPLATE_NAME_CONNECTION_LOST',
      cause: { code: 'ECONNRESET' },
    });
  });

  it('is written again where the run has retries, and nothing twice', async () => {
    const sink = new TemplateNameSink(service.options('orders'));
    const items = Array.from({ length: 100 }, (_, index) => service.item(index));
    const pipeline = new ConcurrentPipeline(items, sink)
      .bufferSize(10)
      .retry({ attempts: 3, backoff: { firstMs: 1 } });
    service.interrupt();
    await pipeline.run();
    expect(service.read('orders')).toEqual(items);
  });
});

describe('a server that answers nobody', () => {
  it('holds no run that is aborted', async () => {
    service.seed('orders', 3);
    const resume = service.stall();
    const pipeline = new ConcurrentPipeline(new TemplateNameSource(service.options('orders')), collect());
    const running = pipeline.run();
    await pipeline.abort('enough');
    await expect(running).rejects.toMatchObject({ code: 'SW_PIPELINE_ABORTED' });
    resume();
  });
});
