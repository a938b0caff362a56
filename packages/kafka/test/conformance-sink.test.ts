/** The shared rules of sinks, put to KafkaSink. A test begins with the number of the rule. */

import { type FaultProxy, openFaultProxy, sinkSuite } from '@streamweld/testing';
import { afterAll, test } from 'vitest';
import { KafkaSink } from '../src/sink.ts';
import { describeWithKafka } from './service.ts';

interface Item {
  readonly id: number;
  readonly t: string;
}

let proxy: FaultProxy | undefined;
afterAll(() => proxy?.close());

describeWithKafka(
  'the rules',
  (brokers) => {
    const made = new Set<KafkaSink<Item>>();
    sinkSuite<Item, string>({ describe: (_title, body) => body(), test }, 'KafkaSink', {
      prepare: () => brokers().topic({ config: { 'max.message.bytes': '100000' } }),
      create(topic) {
        const sink = new KafkaSink<Item>({
          brokers: brokers().service.at('proxied'),
          topic,
          key: ({ id }) => String(id),
        });
        made.add(sink);
        return sink;
      },
      item: (index) => ({ id: index, t: `an item told apart ${index}` }),
      read: async (topic) => (await brokers().values(topic)).map((value) => JSON.parse(value ?? 'null')),
      createDenied: (topic, secret) =>
        new KafkaSink<Item>({
          brokers: brokers().service.at('sasl'),
          sasl: { mechanism: 'scram-sha-256', username: 'alice', password: secret },
          topic,
        }),
      // Larger than the topic takes.
      badItem: (secret) => ({ id: -1, t: secret.repeat(20_000) }),
      interrupt: () => proxy?.dropReply(() => true),
      stall() {
        proxy?.blackhole();
        return () => {
          proxy?.restore();
          proxy?.reset();
        };
      },
      async kill() {
        await Promise.all([...made].map((sink) => sink.close(new Error('killed'))));
        made.clear();
      },
    });
  },
  {
    from: ['docker', 'java'],
    async proxy(port) {
      proxy = await openFaultProxy({ target: { port } });
      return proxy.port;
    },
    users: { alice: 'in wonderland' },
  },
);
