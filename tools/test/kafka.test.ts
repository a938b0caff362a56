import { type FaultProxy, openFaultProxy } from '@streamweld/testing';
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { KafkaUnavailable, findKafka, startKafka } from '../services/kafka.ts';

const certificates = `${import.meta.dirname}/../../packages/postgres/test/certificates`;
const pem = (...names: string[]) =>
  names.map((name) => fs.readFileSync(`${certificates}/${name}`, 'utf8')).join('');

/** With all that has to be quoted somewhere. */
const PASSWORD = 'in "wonder\\land"';

let proxy: FaultProxy | undefined;
const found = await findKafka({
  from: ['docker', 'java'],
  async proxy(port) {
    proxy = await openFaultProxy({ target: { port } });
    return proxy.port;
  },
  users: { alice: PASSWORD },
  tls: { certificate: pem('server.pem', 'intermediate.pem'), key: pem('server.key') },
});
afterAll(async () => {
  if (!(found instanceof KafkaUnavailable)) await found.stop();
  await proxy?.close();
});

function service() {
  if (found instanceof KafkaUnavailable) throw found;
  return found;
}

function client(options: Partial<KafkaConfig> = {}): Kafka {
  return new Kafka({
    clientId: 'tools',
    brokers: service().brokers,
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 60 },
    ...options,
  });
}

async function createTopic(topic: string, kafka = client()): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
  await admin.disconnect();
}

async function send(topic: string, value: string, kafka = client()): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  try {
    await producer.send({ topic, messages: [{ value }] });
  } finally {
    await producer.disconnect();
  }
}

/** The first of the topic, in order. */
async function read(topic: string, count: number, kafka = client()): Promise<string[]> {
  const values: string[] = [];
  const consumer = kafka.consumer({ groupId: `${topic}-${Math.random()}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => void values.push(String(message.value)),
  });
  await expect.poll(() => values.length, { timeout: 30_000 }).toBe(count);
  await consumer.disconnect();
  return values;
}

if (found instanceof KafkaUnavailable) console.warn(`Skipped: a real Kafka. ${found.message}`);

describe.skipIf(found instanceof KafkaUnavailable)(
  found instanceof KafkaUnavailable ? `a real Kafka (${found.message})` : 'a real Kafka',
  () => {
    it('takes what is sent, and gives it back', async () => {
      await createTopic('sent');
      await send('sent', 'a');
      await send('sent', 'b');
      expect(await read('sent', 2)).toEqual(['a', 'b']);
    });

    it('makes no topic by itself', async () => {
      await expect(send('unmade', 'a', client({ retry: { retries: 0 } }))).rejects.toThrow(
        'This server does not host this topic-partition',
      );
    });

    it('keeps what it took when it is killed, and comes back at the same place', async () => {
      await createTopic('crashed');
      const before = await connectProducer();
      await before.send({ topic: 'crashed', messages: [{ value: 'before' }] });
      await service().crash();
      await expect(reach(service().brokers)).rejects.toThrow('ECONNREFUSED');
      await service().restart();
      await before.send({ topic: 'crashed', messages: [{ value: 'after' }] });
      await before.disconnect();
      expect(await read('crashed', 2)).toEqual(['before', 'after']);
    });

    it('lets everyone wait while it is frozen', async () => {
      await createTopic('frozen');
      const producer = await connectProducer();
      service().freeze();
      // On a busy machine it takes a moment until the last of its threads stands still.
      const sends: Promise<unknown>[] = [];
      let isAnswered = true;
      while (isAnswered && sends.length < 20) {
        const sending = producer.send({ topic: 'frozen', messages: [{ value: `${sends.length}` }] });
        sends.push(sending);
        isAnswered = await Promise.race([
          sending.then(() => true),
          new Promise<boolean>((resolve) => setTimeout(resolve, 1000, false)),
        ]);
      }
      expect(isAnswered).toBe(false);
      service().thaw();
      await Promise.all(sends);
      await producer.disconnect();
      expect(await read('frozen', sends.length)).toEqual(sends.map((_, at) => `${at}`));
    });

    it('keeps clients behind the proxy that came through it', async () => {
      const front = proxy as FaultProxy;
      const behind = client({ brokers: service().at('proxied') });
      expect(service().at('proxied')).toEqual([`127.0.0.1:${front.port}`]);
      await createTopic('proxied', behind);
      // A Produce request, and not the first: those before it ask for versions and for who leads.
      front.dropReply((request) => request[4] === 0 && request[5] === 0);
      await send('proxied', 'twice', behind);
      expect(front.counts.repliesDropped).toBe(1);
      // It was carried out, and nobody knew: a producer without idempotence sends it again.
      expect(await read('proxied', 2, behind)).toEqual(['twice', 'twice']);
      front.reset();
      await expect.poll(() => front.connections).toBe(0);
    });

    for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
      it(`asks who is there: ${mechanism}`, async () => {
        const as = (password: string) =>
          ({ mechanism, username: 'alice', password }) as NonNullable<KafkaConfig['sasl']>;
        const ways = [
          { brokers: service().at('sasl') },
          { brokers: service().at('saslTls'), ssl: { ca: [pem('root.pem')] } },
        ];
        for (const way of ways) {
          await createTopic(`sasl-${mechanism}`, client({ ...way, sasl: as(PASSWORD) }));
          const stranger = client({
            ...way,
            sasl: as('wrong'),
            retry: { retries: 0 },
          });
          await expect(createTopic('never', stranger)).rejects.toThrow(/[Aa]uthentication/);
        }
      });
    }

    it('speaks TLS, with the certificate that it was given', async () => {
      const brokers = service().at('tls');
      await createTopic('tls', client({ brokers, ssl: { ca: [pem('root.pem')] } }));
      await expect(
        createTopic('never', client({ brokers, ssl: true, retry: { retries: 0 } })),
      ).rejects.toThrow('unable to get local issuer certificate');
    });

    it('ends with whoever started it, even if that is killed', async () => {
      const starter = spawn(
        process.execPath,
        ['--import', 'tsx', `${import.meta.dirname}/../services/kafka.ts`],
        { env: { ...process.env, STREAMWELD_KAFKA_BROKERS: '' }, stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const [line] = (await once(starter.stdout, 'data')) as [Buffer];
      const brokers = [String(line).split(/\s/)[1] as string];
      await reach(brokers);
      starter.kill('SIGKILL');
      await expect
        .poll(() => reach(brokers).then(() => 'there', String), { timeout: 10_000 })
        .toContain('ECONNREFUSED');
    });
  },
);

describe('three brokers', () => {
  it('go on while one of them is down', async ({ skip }) => {
    const cluster = await findKafka({ brokers: 3, from: ['java'] });
    if (cluster instanceof KafkaUnavailable) return skip(cluster.message);
    try {
      const kafka = client({ brokers: cluster.brokers });
      const admin = kafka.admin();
      await admin.connect();
      await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 3, replicationFactor: 3 }] });
      await send('kept', 'before', kafka);
      await cluster.crash(2);
      await send('kept', 'while', kafka);
      expect((await read('kept', 2, kafka)).toSorted()).toEqual(['before', 'while']);
      await cluster.restart(2);
      await expect.poll(async () => (await admin.describeCluster()).brokers.length).toBe(3);
      await admin.disconnect();
    } finally {
      await cluster.stop();
    }
  }, 180_000);
});

async function connectProducer() {
  const producer = client().producer();
  await producer.connect();
  return producer;
}

async function reach([broker]: readonly string[]): Promise<void> {
  const socket = net.connect(Number(broker?.split(':')[1]), '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
}

describe('a Kafka that cannot be had', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is an error that says why, and in CI one that ends the tests', async () => {
    vi.stubEnv('STREAMWELD_KAFKA_BROKERS', '');
    vi.stubEnv('CI', undefined);
    const why = 'There is no Kafka: STREAMWELD_KAFKA_BROKERS is not set.';
    await expect(startKafka({ from: ['given'] })).rejects.toThrow(new KafkaUnavailable(why));
    expect(await findKafka({ from: ['given'] })).toEqual(new KafkaUnavailable(why));
    vi.stubEnv('CI', 'true');
    await expect(findKafka({ from: ['given'] })).rejects.toThrow(why);
  });

  it('is the one that was given, if one was', async () => {
    vi.stubEnv('STREAMWELD_KAFKA_BROKERS', 'one:9092, two:9092');
    const given = await startKafka();
    expect(given).toMatchObject({ kind: 'given', brokers: ['one:9092', 'two:9092'] });
    expect(() => given.crash()).toThrow('is not stopped or started');
    expect(() => given.at('sasl')).toThrow("has no listener 'sasl'");
  });
});
