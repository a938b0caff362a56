/** The shared rules of sources, put to KafkaSource. A test begins with the number of the rule. */

import { sourceSuite } from '@streamweld/testing';
import { test } from 'vitest';
import type { KafkaPosition } from '../src/position.ts';
import type { KafkaRecord } from '../src/record.ts';
import { KafkaSource } from '../src/source.ts';
import { reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

const PARTITIONS = 2;

describeWithKafka(
  'the rules',
  (brokers) => {
    const { deleteRecords, send } = reading(brokers);
    const text = (n: number): string => `a record told apart ${n}`;
    const fill = async (topic: string, first: number, count: number, value = text): Promise<string[]> => {
      const values = Array.from({ length: count }, (_, index) => value(first + index));
      await send(
        topic,
        values.map((each, index) => ({ value: each, partition: (first + index) % PARTITIONS })),
      );
      return values;
    };
    const places = new WeakMap<object, { readonly topic: string; count: number }>();
    sourceSuite<KafkaRecord, KafkaPosition>({ describe: (_title, body) => body(), test }, 'KafkaSource', {
      essenceOf: ({ value }) => String(value),
      async seed(count) {
        const topic = await brokers().topic({ partitions: PARTITIONS });
        const items = await fill(topic, 0, count);
        let latest: KafkaSource | undefined;
        const place = {
          items,
          create() {
            // Whoever was killed is a member until its session has timed out. Here it goes at once, with what it has read.
            void latest?.close();
            latest = new KafkaSource({
              brokers: brokers().brokers,
              topics: topic,
              groupId: topic,
              buffer: { maxItems: 1000, maxBytes: 1 << 19 },
            });
            return latest;
          },
        };
        places.set(place, { topic, count });
        return place;
      },
      async grow(place, count) {
        const seeded = places.get(place) as { readonly topic: string; count: number };
        seeded.count += count;
        return fill(seeded.topic, seeded.count - count, count);
      },
      absurdPositions: () => [
        { offset: '1000000', groupId: null },
        { offset: '-1', groupId: null },
        { offset: '1.5', groupId: null },
        { offset: '1', groupId: '' },
      ],
      createDenied: (_place, secret) =>
        new KafkaSource({
          brokers: brokers().service.at('sasl'),
          sasl: { mechanism: 'scram-sha-256', username: 'alice', password: secret },
          topics: 'nothing',
          groupId: 'nobody',
        }),
      // Whoever is at the beginning finds that it is gone.
      async seedDamaged(secret) {
        const topic = await brokers().topic({ partitions: PARTITIONS });
        await fill(topic, 0, 30, (n) => `${secret} ${n}`);
        await deleteRecords(topic, '5', 1);
        return {
          items: [],
          create: () =>
            new KafkaSource({
              brokers: brokers().service.at('sasl'),
              sasl: { mechanism: 'scram-sha-256', username: 'alice', password: 'in wonderland' },
              clientId: secret,
              topics: topic,
              groupId: secret,
              from: { [`${topic}/1`]: 2 },
            }),
        };
      },
      largeCount: 200_000,
    });
  },
  { from: ['docker', 'java'], users: { alice: 'in wonderland' } },
);
