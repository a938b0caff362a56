import { Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { KafkaUnavailable, findKafka, startKafka } from '../services/kafka.ts';

const found = await findKafka({ from: ['docker', 'java'] });
afterAll(async () => {
  if (!(found instanceof KafkaUnavailable)) await found.stop();
});

function service() {
  if (found instanceof KafkaUnavailable) throw found;
  return found;
}

function client(options: { brokers: string[] }): Kafka {
  return new Kafka({ clientId: 'tools', logLevel: logLevel.NOTHING, ...options });
}

async function createTopic(kafka: Kafka, topic: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
  await admin.disconnect();
}

async function send(kafka: Kafka, topic: string, ...values: string[]): Promise<void> {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: values.map((value) => ({ value })) });
  await producer.disconnect();
}

/** The first of the topic, in order. */
async function read(kafka: Kafka, topic: string, count: number): Promise<string[]> {
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
      const kafka = client({ brokers: service().brokers });
      await createTopic(kafka, 'sent');
      await send(kafka, 'sent', 'a', 'b');
      expect(await read(kafka, 'sent', 2)).toEqual(['a', 'b']);
    });
  },
);

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
