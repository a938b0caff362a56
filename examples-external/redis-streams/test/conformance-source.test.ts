/** The shared rules of sources, put to that of Redis Streams. A test begins with the number of the rule. */

import { test } from 'node:test';
import { sourceSuite } from '@streamweld/testing';
import { type RedisEntry, type RedisPosition, RedisStreamSource } from '../src/index.ts';
import { freshStream, seed, startService } from './service.ts';

const service = await startService();
const runner = { describe: (_title: string, body: () => void) => body(), test };

/** The streams of places, and how many items came to them later. */
const places = new WeakMap<object, string>();
const grown = new WeakMap<object, number>();

for (const follow of [false, true]) {
  sourceSuite<RedisEntry, RedisPosition>(runner, `RedisStreamSource${follow ? ' that follows' : ''}`, {
    async seed(count) {
      const stream = freshStream();
      const items = await seed(service, stream, 0, count);
      places.set(items, stream);
      return {
        items,
        create: () => new RedisStreamSource({ connection: service.url, stream, follow }),
        async cleanUp() {
          await service.command('DEL', stream);
        },
      };
    },
    largeCount: 30_000,
    essenceOf: ({ fields }) => ({ ...fields }),
    absurdPositions: () => [
      { id: '99999999999999-0', index: 3 },
      { id: '5-1', index: 1_000_000 },
      { id: '12', index: 1 },
      { id: '1-1', index: -1 },
    ],
    createDenied: (_place, secret) =>
      new RedisStreamSource({
        connection: `redis://:${secret}@127.0.0.1:${service.port}`,
        stream: 'orders',
        follow,
      }),
    async seedDamaged(secret) {
      const stream = freshStream();
      await service.command('SET', stream, secret);
      return { items: [], create: () => new RedisStreamSource({ connection: service.url, stream, follow }) };
    },
    ...(follow
      ? {
          grow: (place, count) => {
            const from = place.items.length + (grown.get(place) ?? 0);
            grown.set(place, (grown.get(place) ?? 0) + count);
            return seed(service, places.get(place.items) as string, from, from + count);
          },
        }
      : {}),
  });
}
