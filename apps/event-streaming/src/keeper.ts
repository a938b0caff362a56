/**
 * A process that keeps the servers of the app's own, Kafka and the cache: away from the terminal, whose Ctrl-C is not for
 * them, and gone when the app is, however that ends. Started by servers.ts, with what it is to keep as arguments.
 */

import { KafkaUnavailable, startKafka } from '../../../tools/services/kafka.ts';
import { RedisUnavailable, type RedisService, startRedis } from '../../../tools/services/redis.ts';

/** What it tells. */
export type KeeperWord =
  | { readonly kind: 'kafka'; readonly brokers: readonly string[]; readonly how: 'docker' | 'java' }
  | { readonly kind: 'cache'; readonly url: string; readonly how: 'path' | 'wheel'; readonly pid: number }
  | { readonly kind: 'none'; readonly of: 'kafka' | 'cache'; readonly reason: string }
  /** It was killed, or ended by itself. */
  | { readonly kind: 'cache-gone' }
  | { readonly kind: 'cache-again'; readonly tookMs: number; readonly pid: number };

/** How often a cache that is gone is started again. */
const MOST_STARTS = 5;

const stops: (() => Promise<void>)[] = [];
let isEnding = false;

function tell(word: KeeperWord): void {
  if (process.connected) process.send?.(word, () => {});
}

async function keepKafka(): Promise<void> {
  const kafka = await startKafka({ from: ['docker', 'java'] });
  stops.push(() => kafka.stop());
  tell({ kind: 'kafka', brokers: kafka.brokers, how: kafka.kind as 'docker' | 'java' });
}

async function keepCache(): Promise<void> {
  let starts = 1;
  const again = async (redis: RedisService): Promise<void> => {
    const begunAt = performance.now();
    await redis.restart();
    tell({ kind: 'cache-again', tookMs: performance.now() - begunAt, pid: redis.pid ?? 0 });
  };
  const redis: RedisService = await startRedis({
    onGone: () => {
      if (isEnding) return;
      tell({ kind: 'cache-gone' });
      // All it had acknowledged is in its folder.
      if (starts++ < MOST_STARTS) void again(redis).catch(() => {});
    },
  });
  stops.push(() => redis.stop());
  tell({ kind: 'cache', url: redis.url, how: redis.kind, pid: redis.pid ?? 0 });
}

function orNone(of: 'kafka' | 'cache', keeping: Promise<void>): Promise<void> {
  return keeping.catch((error: unknown) => {
    if (!(error instanceof KafkaUnavailable) && !(error instanceof RedisUnavailable)) throw error;
    tell({ kind: 'none', of, reason: error.message });
  });
}

const starting = Promise.all([
  process.argv.includes('kafka') ? orNone('kafka', keepKafka()) : undefined,
  process.argv.includes('cache') ? orNone('cache', keepCache()) : undefined,
]);
process.once('disconnect', () => {
  isEnding = true;
  // What is being started is waited for, or it would stay.
  void starting.then(() => Promise.all(stops.map((stop) => stop()))).finally(() => process.exit());
});
await starting;
