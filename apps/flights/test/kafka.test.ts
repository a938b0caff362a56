/** The demo with a Kafka: what comes of its alerts there. */

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { makeTopics } from '@streamweld/app-kit/kafka';
import type { AppProcess, Ended } from '@streamweld/app-kit/test';
import { from } from '@streamweld/core';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  type IHeaders,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  findKafka,
  type KafkaService,
  type KafkaServiceOptions,
  KafkaUnavailable,
} from '../../../tools/services/kafka.ts';
import type { Flight } from '../src/flight.ts';
import { FlightsSource } from '../src/flights-source.ts';
import { ALERTS_TOPIC } from '../src/kafka.ts';
import { cleanUp, openFolder, startDemo } from './demo.ts';

const LIMIT = 100_000;
/** A net for what hangs: machines that run this are busy. */
const TIMEOUT = 120_000;

let folder: string;
let demo: AppProcess | undefined;

beforeEach(async () => {
  folder = await openFolder();
});

afterEach(() => cleanUp(folder, demo));

/** Act 2, without Postgres unless it says something else. */
async function play(brokers: string, args = ['--no-postgres'], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  demo = startDemo(folder, ['--progress', 'plain', '--act', '2', '--limit', String(LIMIT), ...args], {
    STREAMWELD_KAFKA_BROKERS: brokers,
    ...env,
  });
  return demo.ended;
}

/** What should be told, from the source itself. */
async function veryLate(): Promise<Flight[]> {
  const late: Flight[] = [];
  for await (const flight of from(new FlightsSource({ limit: LIMIT })).filter(({ delay }) => delay > 500)) {
    late.push(flight);
  }
  return late;
}

/** Describes tests that need brokers. Where there are none they are skipped, and say why; in CI that is a failure. */
function describeWithKafka(
  name: string,
  options: KafkaServiceOptions,
  body: (kafka: () => Kafka, brokers: () => string) => void,
): void {
  describe(name, async () => {
    const found = await findKafka(options);
    if (found instanceof KafkaUnavailable) {
      console.warn(`Skipped: ${name}. ${found.message}`);
      it.skip(found.message, () => {});
      return;
    }
    const service: KafkaService = found;
    afterAll(() => service.stop());
    const kafka = new Kafka({
      brokers: service.brokers,
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 60 },
    });
    body(
      () => kafka,
      () => service.brokers.join(','),
    );
  });
}

async function asAdmin<R>(kafka: Kafka, task: (admin: Admin) => Promise<R>): Promise<R> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await task(admin);
  } finally {
    await admin.disconnect();
  }
}

interface Found {
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  readonly headers: IHeaders;
}

/** All that is in the topic, read by bare kafkajs, in the order of partitions and offsets. */
async function readTopic(kafka: Kafka): Promise<Found[]> {
  const offsets = await asAdmin(kafka, (admin) => admin.fetchTopicOffsets(ALERTS_TOPIC));
  const there = offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  const consumer = kafka.consumer({ groupId: `test-${randomUUID()}`, maxWaitTimeInMs: 100 });
  const records = new Map<string, Found>();
  await consumer.connect();
  await consumer.subscribe({ topic: ALERTS_TOPIC, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ partition, message: { offset, key, value, headers = {} } }) => {
      const at = `${partition}/${offset.padStart(12, '0')}`;
      records.set(at, { partition, key: String(key), value: String(value), headers });
    },
  });
  await expect.poll(() => records.size, { timeout: 30_000, interval: 20 }).toBe(there);
  await consumer.disconnect();
  return [...records].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record);
}

// Not one that was given: what an earlier demo has left in its topic is somebody's.
const OWN = ['docker', 'java'] as const;

describeWithKafka('the demo with a Kafka', { from: OWN }, (kafka, brokers) => {
  it(
    'makes the topic, writes every alert to it as JSON under its airport, and proves that',
    async () => {
      const { code, stdout, stderr } = await play(brokers());
      expect(code, stderr).toBe(0);

      const expected = await veryLate();
      const count = expected.length;
      expect(count).toBeGreaterThan(5);
      expect(stdout).toContain(`Kafka, yours: the alerts go to the topic ${ALERTS_TOPIC}, too`);
      expect(stdout).toMatch(new RegExp(`kafka +${count} .* the alerts, by airport`));
      expect(stdout).toContain(`${count} of ${count} alerts in Kafka, 0 lost, 0 doubled, 0 out of order`);
      expect(stdout.match(/✓/g)).toHaveLength(9);
      expect(stdout).not.toContain('WRONG');

      const records = await readTopic(kafka());
      const flights = records.map(({ value }) => JSON.parse(value) as Flight);
      expect(flights.toSorted((a, b) => a.row - b.row)).toEqual(expected);
      expect(records.map(({ key }) => key)).toEqual(flights.map(({ origin }) => origin));
      // All of an airport in one partition, in order.
      for (const airport of new Set(flights.map(({ origin }) => origin))) {
        const own = records.filter(({ key }) => key === airport);
        expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
        const rows = own.map(({ value }) => (JSON.parse(value) as Flight).row);
        expect(rows).toEqual(rows.toSorted((a, b) => a - b));
      }
      // The file has them as before.
      const lines = (await readFile(join(folder, 'out', 'very-late.ndjson'), 'utf8')).trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line) as Flight)).toEqual(expected);
      // Nothing is left of the group that read them.
      const { groups } = await asAdmin(kafka(), (admin) => admin.listGroups());
      expect(groups.filter(({ groupId }) => groupId.startsWith('streamweld-flights'))).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'proves its own alerts alone, in a topic that has other records too',
    async () => {
      const before = await readTopic(kafka());
      const producer = kafka().producer();
      await producer.connect();
      await producer.send({ topic: ALERTS_TOPIC, messages: [{ key: 'XXX', value: 'no alert' }] });
      // Others write while the demo runs, as another demo would.
      const other = Buffer.from(before[0]?.value ?? '');
      const writing = setInterval(
        () => void producer.send({ topic: ALERTS_TOPIC, messages: [{ key: 'YYY', value: other }] }),
        50,
      );
      try {
        const { code, stdout, stderr } = await play(brokers());
        expect(code, stderr).toBe(0);
        const { length } = await veryLate();
        expect(stdout).toContain(`${length} of ${length} alerts in Kafka, 0 lost, 0 doubled, 0 out of order`);
      } finally {
        clearInterval(writing);
        await producer.disconnect();
      }
    },
    TIMEOUT,
  );

  it(
    'loads nothing of it where no brokers are given',
    async () => {
      const tell = `import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
if (isMainThread) process.on('exit', () => console.error('kafkajs is loaded: '
  + Object.keys(createRequire('/any/').cache).some((path) => path.includes('/kafkajs/'))));`;
      const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tell)}` };
      const without = await play('', undefined, env);
      expect(without.code, without.stderr).toBe(0);
      expect(without.stderr).toContain('kafkajs is loaded: false');
      expect(without.stdout).not.toMatch(/kafka/i);
      expect(without.stdout.match(/✓/g)).toHaveLength(8);
      expect((await play(brokers(), undefined, env)).stderr).toContain('kafkajs is loaded: true');
    },
    TIMEOUT,
  );
});

describeWithKafka(
  'a Kafka in which the demo may not make its topic',
  {
    from: OWN,
    settings: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'allow.everyone.if.no.acl.found': true,
    },
  },
  (kafka, brokers) => {
    it(
      'is told of before anything is begun, and does where the topic is there',
      async () => {
        const rule = { principal: 'User:*', host: '*', resourcePatternType: ResourcePatternTypes.LITERAL };
        const cluster = { ...rule, resourceType: AclResourceTypes.CLUSTER, resourceName: 'kafka-cluster' };
        const topic = { ...rule, resourceType: AclResourceTypes.TOPIC, resourceName: ALERTS_TOPIC };
        const all = { operation: AclOperationTypes.ALL, permissionType: AclPermissionTypes.ALLOW };
        const create = { operation: AclOperationTypes.CREATE, permissionType: AclPermissionTypes.DENY };
        const acl = [cluster, topic].flatMap((each) => [
          { ...each, ...all },
          { ...each, ...create },
        ]);
        await asAdmin(kafka(), (admin) => admin.createAcls({ acl }));
        const refused = await play(brokers(), []);
        expect(refused.code).toBe(1);
        expect(refused.stderr).toMatch(
          new RegExp(
            `^FLIGHTS_KAFKA_UNAVAILABLE: Kafka has no topic ${ALERTS_TOPIC}, and did not make it: .*[Aa]uthoriz`,
            'm',
          ),
        );
        expect(refused.stderr).toContain('Make it yourself');
        expect(refused.stderr).not.toContain('Postgres starts');

        await asAdmin(kafka(), async (admin) => {
          const { resourceType, resourceName, resourcePatternType, principal, host } = cluster;
          const permission = { permissionType: create.permissionType, operation: create.operation };
          await admin.deleteAcls({
            filters: [{ resourceType, resourceName, resourcePatternType, principal, host, ...permission }],
          });
          const adminOf = (broker: string) =>
            new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).admin();
          await makeTopics({ admin, adminOf, topics: [{ topic: ALERTS_TOPIC, numPartitions: 1 }] });
          await admin.createAcls({ acl: [{ ...cluster, ...create }] });
        });
        const { code, stdout, stderr } = await play(brokers());
        expect(code, stderr).toBe(0);
        expect(stdout).toContain(' alerts in Kafka, 0 lost, 0 doubled, 0 out of order');
      },
      TIMEOUT,
    );
  },
);

describe('a Kafka that does not answer', () => {
  it.each([
    ['is not there', 'ECONNREFUSED', async () => 1],
    ['says nothing', 'no answer within 8 s', silence],
  ])(
    'because it %s is told of within seconds, before a server is started, with what can be done',
    async (_, reason, listen) => {
      const port = await listen();
      const begunAt = performance.now();
      const { code, stdout, stderr } = await play(`127.0.0.1:${port}`, []);
      // The start of the demo included, on a busy machine.
      expect(performance.now() - begunAt).toBeLessThan(30_000);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^FLIGHTS_KAFKA_UNAVAILABLE: The Kafka at 127\.0\.0\.1:\d+ cannot be used: /m);
      expect(stderr).toContain(reason);
      expect(stderr).toContain('without\nSTREAMWELD_KAFKA_BROKERS');
      expect(stderr).not.toContain('Postgres starts');
      expect(stdout).not.toContain('Act 2');
    },
    TIMEOUT,
  );

  const open: { close(): void; sockets: Socket[] }[] = [];
  afterAll(() => {
    for (const { close, sockets } of open) {
      close();
      for (const socket of sockets) socket.destroy();
    }
  });

  /** Takes connections, and says nothing on them. */
  async function silence(): Promise<number> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
    }).listen(0, '127.0.0.1');
    open.push({ close: () => server.close(), sockets });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  it('is refused where it is no list of brokers, and no password of it is told', async () => {
    const { code, stderr } = await play('kafka://me:planted@localhost');
    expect(code).toBe(2);
    expect(stderr).toContain('STREAMWELD_KAFKA_BROKERS: expected host:port,host:port');
    expect(stderr).not.toContain('planted');
  });
});
