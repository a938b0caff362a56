/** What befalls a KafkaSource while it reads: rows 50, 54 and 65 of the faults, and the guards K6, K8 and K9. */

import { type FaultProxy, openFaultProxy, withLeakCheck } from '@streamweld/testing';
import { afterAll, expect, it } from 'vitest';
import { numbers, type Reader, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let proxy: FaultProxy;
afterAll(() => proxy?.close());

describeWithKafka(
  'KafkaSource, under faults',
  (brokers) => {
    const { produce, run, send, source, withAdmin } = reading(brokers);

    /** Each of so many came, and how many came more than once. */
    const complete = (values: readonly number[], count: number): number => {
      expect(new Set(values).size).toBe(count);
      return values.length - count;
    };

    /** Waits until so many different ones have come. */
    const until = (reader: Reader, count: number): Promise<void> =>
      expect.poll(() => new Set(numbers(reader.records)).size, { timeout: 50_000, interval: 20 }).toBe(count);

    const members = (groupId: string): Promise<string[]> =>
      withAdmin(async (admin) => {
        const { groups } = await admin.describeGroups([groupId]);
        return groups.flatMap((group) => group.members.map(({ memberId }) => memberId));
      });

    it('50 goes on when the broker is killed and comes back, as the member that it was', async () => {
      const topics = await brokers().topic({ partitions: 3 });
      let total = 8000;
      await produce(topics, total, { partitions: 3 });
      const reader = run({ topics }, { write: () => wait(2), bufferSize: 100 });
      await reader.until(1);
      const before = await members(topics);
      for (const at of [2000, 8000]) {
        await reader.until(at);
        await brokers().service.crash();
        await brokers().service.restart();
        // Whatever it had fetched before, this it has to fetch now.
        await produce(topics, 6000, { first: total, partitions: 3 });
        total += 6000;
      }
      // Somebody new would have to wait until the session of the old one has timed out.
      await until(reader, total);
      expect(await members(topics)).toEqual(before);
      await reader.end();
      expect(complete(numbers(reader.records), total)).toBe(0);
    }, 120_000);

    it('54 stays a member while a write takes longer than its session (K6)', async () => {
      const topics = await brokers().topic();
      const total = 5000;
      await produce(topics, total);
      let writes = 0;
      const reader = run(
        { topics, sessionTimeoutMs: 1000, buffer: { maxItems: 200 } },
        { write: () => (++writes === 3 ? wait(5000) : undefined), bufferSize: 100 },
      );
      await reader.until(1);
      const before = await members(topics);
      expect(before).toHaveLength(1);
      await reader.until(total);
      expect(await members(topics)).toEqual(before);
      await reader.end();
      expect(numbers(reader.records)).toEqual(Array.from({ length: total }, (_, n) => n));
    });

    it('65 reads at the speed of a slow network, through connections that it keeps', async () => {
      const topics = await brokers().topic();
      // A batch is never parted: each has two seconds of it.
      for (let batch = 0; batch < 5; batch += 1)
        await send(
          topics,
          Array.from({ length: 40 }, (_, n) => ({ value: `value ${batch * 40 + n} `.padEnd(1000) })),
        );
      proxy.limit(20_000, { direction: 'reply' });
      try {
        const client = { brokers: brokers().service.at('proxied'), requestTimeoutMs: 6000 };
        const reader = run({ topics, ...client, buffer: { maxBytes: 1 << 18 } });
        await reader.until(1);
        const before = proxy.connections;
        await reader.until(200);
        expect(proxy.connections).toBe(before);
        await reader.end();
        expect(numbers(reader.records)).toEqual(Array.from({ length: 200 }, (_, n) => n));
        expect(proxy.counts.limited).toBeGreaterThan(0);
      } finally {
        proxy.restore();
      }
    });

    it('K8 fails where the client ends for good', async () => {
      // The broker compresses them anew, in a way for which there is no codec here.
      const topics = await brokers().topic({ config: { 'compression.type': 'zstd' } });
      await produce(topics, 10);
      await expect(run({ topics }).done).rejects.toMatchObject({ code: 'SW_KAFKA_COMPRESSION_MISSING' });
    });

    it('K8 fails where it cannot come back for long enough, and does not wait for ever', async () => {
      const topics = await brokers().topic();
      await produce(topics, 10);
      const client = { brokers: brokers().service.at('proxied') };
      const reader = run({ topics, ...client, requestTimeoutMs: 1000, reconnectMs: 1000 });
      await reader.until(10);
      proxy.refuse();
      proxy.reset();
      try {
        await expect(reader.done).rejects.toMatchObject({
          isTransient: true,
          // Whichever is noticed first: a client may hold its place for a while, and has something to commit.
          message: expect.stringMatching(
            /lost its place in the group, and did not come back within \d+ ms|Could not commit offsets/,
          ),
        });
      } finally {
        proxy.restore();
      }
      expect(proxy.counts.refused).toBeGreaterThan(0);
    });

    it('K8 does not wait for ever for an answer that is lost', async () => {
      const topics = await brokers().topic();
      await produce(topics, 10);
      const times = { requestTimeoutMs: 120_000, sessionTimeoutMs: 1000, rebalanceTimeoutMs: 1000 };
      const reader = run({ topics, brokers: brokers().service.at('proxied'), ...times });
      await reader.until(10);
      const before = proxy.counts.swallowed;
      proxy.blackhole('reply');
      await expect.poll(() => proxy.counts.swallowed - before, { timeout: 10_000 }).toBeGreaterThan(0);
      proxy.restore();
      await produce(topics, 10, { first: 10 });
      await reader.until(20);
      await reader.end();
      expect(numbers(reader.records)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    });

    it('K9 gives up opening, and closes, when nobody answers; no connection is left', async () => {
      const topics = await brokers().topic();
      await withLeakCheck(async () => {
        proxy.blackhole('reply');
        try {
          const own = source({
            topics,
            brokers: brokers().service.at('proxied'),
            connectTimeoutMs: 1000,
            requestTimeoutMs: 1000,
          });
          const begun = performance.now();
          const opening = own.open({
            positions: new Map(),
            signal: new AbortController().signal,
            settled: () => Promise.resolve(),
            endLane: () => {},
            fail: () => {},
          });
          await expect(opening).rejects.toMatchObject({ code: expect.stringMatching(/^SW_KAFKA_/) });
          await own.close();
          expect(performance.now() - begun).toBeLessThan(10_000);
        } finally {
          proxy.restore();
          proxy.reset();
        }
      });
    });

    it('K9 closes soon while the broker stands still, and leaves nothing behind', async () => {
      const topics = await brokers().topic();
      await produce(topics, 10);
      await withLeakCheck(
        async () => {
          const reader = run({ topics });
          await reader.until(10);
          brokers().service.freeze();
          try {
            const begun = performance.now();
            await reader.pipeline.abort(new Error('over')).catch(() => {});
            expect(performance.now() - begun).toBeLessThan(5000);
          } finally {
            brokers().service.thaw();
          }
        },
        { deadlineMs: 10_000 },
      );
    });
  },
  {
    from: ['docker', 'java'],
    async proxy(port) {
      proxy = await openFaultProxy({ target: { port } });
      return proxy.port;
    },
  },
);
