import { ConcurrentPipeline } from '@streamweld/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TemplateNameClient } from '../src/client.ts';
import { TemplateNameSink } from '../src/sink.ts';
import { Service } from './service.ts';

let service: Service;
beforeEach(() => {
  service = new Service();
});
afterEach(() => service.stop());

describe('a connection', () => {
  it('is opened by a run, and closed at its end', async () => {
    await new ConcurrentPipeline(['one'], new TemplateNameSink(service.options('orders'))).run();
    expect(service.read('orders')).toEqual(['one']);
    expect(service.connections).toBe(0);
  });

  it('that cannot be made is told with what to check', async () => {
    const sink = new TemplateNameSink({ connection: { url: 'memory://nowhere' }, log: 'orders' });
    await expect(new ConcurrentPipeline(['one'], sink).run()).rejects.toMatchObject({
      code: 'SW_TEMPLATE_NAME_UNREACHABLE',
      message: expect.stringContaining('Check connection.url'),
    });
  });
});

describe('a client of the user', () => {
  it('is used as it is, and left open', async () => {
    const appended: string[] = [];
    let isClosed = false;
    const client: TemplateNameClient = {
      read: async () => [],
      count: async () => 0,
      append: async (_log, items) => {
        appended.push(...items);
        return [];
      },
      positions: async () => new Map(),
      close: async () => {
        isClosed = true;
      },
    };
    await new ConcurrentPipeline(['one', 'two'], new TemplateNameSink({ client, log: 'orders' })).run();
    expect(appended).toEqual(['one', 'two']);
    expect(isClosed).toBe(false);
  });
});
