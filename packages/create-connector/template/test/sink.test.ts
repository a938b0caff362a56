import { collect, ConcurrentPipeline, type DeadLetter } from '@streamweld/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TemplateNameSink } from '../src/sink.ts';
import { Service } from './service.ts';

let service: Service;
beforeEach(() => {
  service = new Service();
});
afterEach(() => service.stop());

describe('TemplateNameSink', () => {
  it('appends to what is there', async () => {
    const before = service.seed('orders', 3);
    await new ConcurrentPipeline(['one', 'two'], new TemplateNameSink(service.options('orders'))).run();
    expect(service.read('orders')).toEqual([...before, 'one', 'two']);
  });

  it('gives what the server refuses to the dead letter, and writes the others', async () => {
    const letters = collect<DeadLetter>();
    const bad = service.badItem('too long');
    await new ConcurrentPipeline(['one', bad, 'two'], new TemplateNameSink(service.options('orders')))
      .deadLetter(letters)
      .run();
    expect(service.read('orders')).toEqual(['one', 'two']);
    expect(letters.items.map(({ item }) => item)).toEqual([bad]);
  });
});
