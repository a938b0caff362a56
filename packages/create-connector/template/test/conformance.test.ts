/** The shared rules of sources and sinks, put to those of this connector. A test begins with the number of its rule. */

import { sinkSuite, sourceSuite } from '@streamweld/testing';
import { describe, test } from 'vitest';
import { TemplateNameSink } from '../src/sink.ts';
import { TemplateNameSource } from '../src/source.ts';
import { Service } from './service.ts';

const service = new Service();

sourceSuite({ describe, test }, 'TemplateNameSource', {
  seed(count) {
    const log = service.freshLog();
    const items = service.seed(log, count);
    const create = () => new TemplateNameSource(service.options(log));
    return { items, create, cleanUp: () => service.remove(log) };
  },
  absurdPositions: (_lane, { items }) => [-1, 0.5, items.length + 1],
  createDenied: (_place, secret) => new TemplateNameSource(service.options('any', secret)),
  largeCount: 50_000,
});

const create = (log: string) => new TemplateNameSink(service.options(log));

sinkSuite({ describe, test }, 'TemplateNameSink', {
  prepare: () => service.freshLog(),
  create,
  createKeeping: create,
  createDenied: (log, secret) => new TemplateNameSink(service.options(log, secret)),
  item: (index) => service.item(index),
  badItem: (secret) => service.badItem(secret),
  read: (log) => service.read(log),
  forget: (log) => service.remove(log),
  interrupt: () => service.interrupt(),
  stall: () => service.stall(),
  kill: () => service.kill(),
  largeCount: 50_000,
});
