/** What the adapter makes of answers that a real broker gives too seldom to wait for: kafkajs is stood in for. */

import { expect, it } from 'vitest';
import type { KafkaProducer, OutgoingBatch } from '../src/client.ts';
import { openClient } from '../src/client-kafkajs.ts';
import { checkReach, type KafkajsLike } from '../src/options.ts';

interface Sent {
  readonly topicMessages: readonly {
    readonly topic: string;
    readonly messages: readonly { partition: number }[];
  }[];
}

/** What it throws for a protocol error, as deep in causes as its retries put it. */
function protocolError(type: string): Error {
  const inner = Object.assign(new Error('told by the broker'), {
    name: 'KafkaJSProtocolError',
    type,
    retriable: false,
  });
  return Object.assign(new Error('retried in vain', { cause: inner }), {
    name: 'KafkaJSNonRetriableError',
    retriable: false,
  });
}

/** Of which each send answers or throws what this says of it. */
function producerOf(answer: (partitions: readonly number[]) => Error | undefined): {
  producer: KafkaProducer;
  calls: number[][];
} {
  const calls: number[][] = [];
  const kafkajs = {
    producer: () => ({
      connect: async () => {},
      disconnect: async () => {},
      async sendBatch({ topicMessages }: Sent) {
        const partitions = topicMessages.flatMap(({ messages }) =>
          messages.map(({ partition }) => partition),
        );
        calls.push(partitions);
        const error = answer(partitions);
        if (error !== undefined) throw error;
        return topicMessages.flatMap(({ topic }) =>
          partitions.map((partition) => ({ topicName: topic, partition, errorCode: 0 })),
        );
      },
    }),
    consumer: () => ({}),
    admin: () => ({}),
  };
  const client = openClient(checkReach({ client: kafkajs as KafkajsLike }, 'test'));
  const producer = client.createProducer({
    isIdempotent: true,
    transactionalId: undefined,
    transactionTimeoutMs: 60_000,
    acks: -1,
    compression: 'none',
    deliveryTimeoutMs: 20_000,
  });
  return { producer, calls };
}

function batch(partition: number): OutgoingBatch {
  return {
    topic: 't',
    partition,
    records: [{ key: null, value: Buffer.from('x'), headers: undefined, timestamp: undefined }],
  };
}

it('takes a batch as written that the broker says it has already', async () => {
  const { producer, calls } = producerOf((partitions) =>
    partitions.includes(1) ? protocolError('DUPLICATE_SEQUENCE_NUMBER') : undefined,
  );
  expect(await producer.send([batch(0), batch(1), batch(2)])).toEqual([]);
  expect(calls).toEqual([[0, 1, 2], [0], [1], [2]]);
});

it.each(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'])(
  'tries nothing again where the broker has lost the producer: %s',
  async (type) => {
    const { producer, calls } = producerOf(() => protocolError(type));
    const failures = await producer.send([batch(0), batch(1)]);
    expect(failures.map(({ partition, error }) => [partition, error.code])).toEqual([
      [0, 'SW_KAFKA_SEQUENCE_LOST'],
      [1, 'SW_KAFKA_SEQUENCE_LOST'],
    ]);
    expect(calls).toHaveLength(1);
  },
);

it('tells the partition that is refused, and that the others are written', async () => {
  const { producer, calls } = producerOf((partitions) =>
    partitions.includes(1) ? protocolError('INVALID_RECORD') : undefined,
  );
  const failures = await producer.send([batch(0), batch(1)]);
  expect(failures).toMatchObject([
    { partition: 1, error: { code: 'SW_KAFKA_RECORD_INVALID', retryable: false } },
  ]);
  expect(calls).toEqual([[0, 1], [0], [1]]);
});

it('tries again what passes, though kafkajs says that it does not', async () => {
  let isDown = true;
  const { producer, calls } = producerOf(() => {
    if (!isDown) return undefined;
    isDown = false;
    const refused = Object.assign(new Error('connect ECONNREFUSED'), {
      name: 'KafkaJSConnectionError',
      code: 'ECONNREFUSED',
    });
    return Object.assign(new Error('it is over', { cause: refused }), { retriable: false });
  });
  expect(await producer.send([batch(0)])).toEqual([]);
  expect(calls).toHaveLength(2);
});
