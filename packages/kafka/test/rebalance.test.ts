/**
 * Partitions that come and go: row 53 of the faults, and the guard K7.
 *
 * The storm lasts for eight seconds with every run of the tests, and for a minute with `pnpm crash:kafka`.
 */

import { ConcurrentPipeline, from } from '@streamweld/core';
import { type FaultProxy, openFaultProxy, Random } from '@streamweld/testing';
import { afterAll, describe, expect, it } from 'vitest';
import type { KafkaPosition } from '../src/position.ts';
import type { KafkaRecord } from '../src/record.ts';
import { numbers, reading } from './reading.ts';
import { describeWithKafka } from './service.ts';
import { GroupHistory, WatchedSource } from './watched-source.ts';

const STORM_MS = Number(process.env['STREAMWELD_CRASH_EFFORT'] ?? 0) > 0 ? 60_000 : 8000;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const SOON = { timeout: 30_000, interval: 20 };

let proxy: FaultProxy;
afterAll(() => proxy?.close());

const PARTITIONS = 6;
const KEYS = 30;

describeWithKafka(
  'a group',
  (brokers) => {
    const { committed, produce, run, source, withAdmin } = reading(brokers);

    const stateOf = (groupId: string): Promise<string | undefined> =>
      withAdmin(async (admin) => (await admin.describeGroups([groupId])).groups[0]?.state);

    describe('53 members join and leave every two seconds', () => {
      it(
        'nothing is lost, each key stays in order, and only what was in flight comes twice',
        async () => {
          const topics = await brokers().topic({ partitions: PARTITIONS });
          const random = new Random(53);
          const producer = brokers().kafka().producer({ idempotent: true, maxInFlightRequests: 1 });
          await producer.connect();
          let produced = 0;
          let isOver = false;
          const producing = (async () => {
            while (!isOver) {
              const messages = Array.from({ length: 50 }, () => {
                const n = produced++;
                const key = n % KEYS;
                return { key: `key ${key}`, value: `value ${n}`, partition: key % PARTITIONS };
              });
              await producer.send({ topic: topics, messages });
              await wait(20);
            }
          })();
          /** What was written by any of them, in that order. */
          const written: { readonly member: number; readonly record: KafkaRecord }[] = [];
          const history = new GroupHistory();
          interface Member {
            readonly pipeline: ConcurrentPipeline<KafkaRecord>;
            /** Its connections may be cut. */
            readonly isProxied: boolean;
            readonly done: Promise<unknown>;
          }
          const members: Member[] = [];
          let joined = 0;
          let vanished = 0;
          const join = (): void => {
            const number = joined++;
            const isProxied = number % 2 === 1;
            const at = isProxied ? brokers().service.at('proxied') : brokers().brokers;
            const own = new WatchedSource(
              { brokers: at, topics, groupId: topics, sessionTimeoutMs: 3000 },
              history,
            );
            const pipeline = new ConcurrentPipeline(from(own), async (batch: readonly KafkaRecord[]) => {
              await wait(random.integer(0, 10));
              for (const record of batch) written.push({ member: number, record });
            }).bufferSize(100);
            const done = pipeline.run();
            // It is waited for when it leaves.
            done.catch(() => {});
            members.push({ pipeline, isProxied, done });
          };
          const end = async ({ pipeline, done }: Member): Promise<void> => {
            await pipeline.drain();
            await done;
          };
          const leave = async (): Promise<void> => {
            const [left] = members.splice(random.integer(0, members.length - 1), 1);
            if (left === undefined) return;
            if (!left.isProxied) return end(left);
            // It can neither commit nor say goodbye: what it has written since its last commit comes again.
            proxy.refuse();
            proxy.reset();
            await left.pipeline.abort(new Error('over'));
            proxy.restore();
            vanished += 1;
          };
          join();
          join();
          let changes = 0;
          for (const until = performance.now() + STORM_MS; performance.now() < until; changes += 1) {
            await wait(2000);
            if (members.length < 2 || (members.length < 4 && random.chance(0.5))) join();
            else await leave();
          }
          isOver = true;
          await producing;
          await producer.disconnect();
          const seen = (): number => new Set(written.map(({ record }) => String(record.value))).size;
          await expect.poll(seen, { timeout: 40_000, interval: 50 }).toBe(produced);
          await Promise.all(members.map(end));

          const inOrder = new Map<string, number>();
          const firsts = new Set<number>();
          let duplicates = 0;
          for (const { record } of written) {
            const n = Number(String(record.value).slice('value '.length));
            if (firsts.has(n)) {
              duplicates += 1;
              continue;
            }
            firsts.add(n);
            const key = String(record.key);
            expect(n).toBeGreaterThan(inOrder.get(key) ?? -1);
            inOrder.set(key, n);
          }
          const lost = produced - firsts.size;
          const busy = new Set(written.map(({ member }) => member)).size;
          const notInFlight = history.againThoughCommitted;
          console.log(
            `${produced} records, ${joined} members of which ${busy} read, ${changes} changes (${vanished} of them vanished), ${history.moved} partitions moved; ${lost} lost, ${duplicates} came twice, ${duplicates - notInFlight} of them had been in flight`,
          );
          expect(lost).toBe(0);
          expect(history.moved).toBeGreaterThan(0);
          expect(history.againThoughCommitted).toBe(0);
          // Of each change, at most what the buffers of the members held.
          expect(duplicates).toBeLessThanOrEqual(changes * 4 * 100);
        },
        STORM_MS + 60_000,
      );
    });

    describe('K7 a member that gives partitions up', () => {
      /** Writes wait until it is opened. */
      const gate = (): { readonly pass: () => Promise<void>; open(): void } => {
        let open = (): void => {};
        const passing = new Promise<void>((resolve) => {
          open = resolve;
        });
        return { pass: () => passing, open };
      };

      it('writes and commits first what is in flight: nothing comes twice', async () => {
        const topics = await brokers().topic({ partitions: 2 });
        await produce(topics, 2000, { partitions: 2 });
        const { pass, open } = gate();
        let writes = 0;
        const options = { topics, sessionTimeoutMs: 3000 };
        const first = run(options, { write: () => (++writes === 3 ? pass() : wait(5)), bufferSize: 20 });
        await expect.poll(() => writes, SOON).toBe(3);
        const second = run(options);
        await expect.poll(() => stateOf(topics), SOON).toBe('PreparingRebalance');
        // Long enough for the first to be told, three times over. The second waits for it, and it for the write.
        await wait(1000);
        expect(await stateOf(topics)).toBe('PreparingRebalance');
        expect(second.records).toHaveLength(0);
        open();
        await expect.poll(() => first.records.length + second.records.length, SOON).toBe(2000);
        await first.end();
        await second.end();
        expect(second.records.length).toBeGreaterThan(0);
        expect(new Set([...numbers(first.records), ...numbers(second.records)]).size).toBe(2000);
      });

      it('does so within drainMs; what comes later is not committed, and what it keeps goes on', async () => {
        const topics = await brokers().topic({ partitions: 2 });
        await produce(topics, 2000, { partitions: 2 });
        const { pass, open } = gate();
        let writes = 0;
        const options = { topics, drainMs: 200 };
        const first = run(options, { write: () => (++writes === 3 ? pass() : undefined), bufferSize: 100 });
        await expect.poll(() => writes, SOON).toBe(3);
        const second = run(options);
        await expect.poll(() => new Set(second.records.map(({ partition }) => partition)).size, SOON).toBe(1);
        const taken = second.records[0]?.partition as number;
        await expect.poll(async () => (await committed(topics, topics))[taken], SOON).toBe('1000');
        const before = first.records.length;
        open();
        await expect
          .poll(() => first.records.filter(({ partition }) => partition !== taken).length, SOON)
          .toBe(1000);
        await first.end();
        // What it wrote late of the partition that it lost it has not committed.
        expect(first.records.slice(before).some(({ partition }) => partition === taken)).toBe(true);
        expect(await committed(topics, topics)).toEqual(['1000', '1000']);
        await second.end();
        const kept = numbers(first.records.filter(({ partition }) => partition !== taken));
        expect(new Set(kept).size).toBe(1000);
      });

      it('drops a commit that comes late, and takes that of a partition that it kept', async () => {
        const topics = await brokers().topic({ partitions: 2 });
        await produce(topics, 2000, { partitions: 2 });
        const own = source({ topics, drainMs: 100, sessionTimeoutMs: 3000 });
        const ended: string[] = [];
        await own.open({
          positions: new Map(),
          signal: new AbortController().signal,
          settled: () => new Promise(() => {}),
          endLane: (lane) => ended.push(lane),
          fail: () => {},
        });
        const positions = new Map<string, KafkaPosition>();
        while (positions.size < 2) {
          const answer = await own.pull(10);
          if (answer !== undefined) positions.set(answer.lane as string, answer.position);
        }
        const second = run({ topics });
        await expect.poll(() => second.records.length, SOON).toBe(1000);
        await second.end();
        const lost = second.records[0]?.partition as number;
        expect(ended).toEqual([`${topics}/${lost}`]);
        await own.commit(positions);
        const offsets = await committed(topics, topics);
        expect(offsets[lost]).toBe('1000');
        expect(Number(offsets[1 - lost])).toBeLessThan(100);
        expect(Number(offsets[1 - lost])).toBeGreaterThan(0);
        await own.close();
      });

      it('and was taken for dead, does not go on where others have gone on since', async () => {
        const topics = await brokers().topic({ partitions: 1 });
        await produce(topics, 1000);
        const { pass, open } = gate();
        let writes = 0;
        const first = run(
          {
            topics,
            brokers: brokers().service.at('proxied'),
            sessionTimeoutMs: 1000,
            requestTimeoutMs: 1000,
          },
          { write: () => (++writes === 3 ? pass() : undefined), bufferSize: 100 },
        );
        await expect.poll(() => writes, SOON).toBe(3);
        proxy.blackhole();
        const second = run({ topics });
        await expect.poll(() => committed(topics, topics), SOON).toEqual(['1000']);
        await second.end();
        proxy.restore();
        proxy.reset();
        open();
        await produce(topics, 10, { first: 1000 });
        await expect.poll(() => numbers(first.records).at(-1), SOON).toBe(1009);
        await first.end();
        expect(await committed(topics, topics)).toEqual(['1010']);
        // What was in flight it had already; of what the other has done it has read nothing.
        const values = numbers(first.records);
        expect(values.slice(-10)).toEqual(Array.from({ length: 10 }, (_, n) => 1000 + n));
        expect(values.length).toBeLessThanOrEqual(110 + 100);
      });
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
