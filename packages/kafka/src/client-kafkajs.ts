/** kafkajs, as what `client.ts` asks for: opened here, or lent by the user. */

import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs';
import type { KafkaClient } from './client.ts';
import { KafkajsAdmin } from './client-kafkajs-admin.ts';
import { createConsumer } from './client-kafkajs-consumer.ts';
import { KafkajsProducer } from './client-kafkajs-producer.ts';
import { registerCodecs } from './codecs.ts';
import { filterNegativeTimers } from './negative-timers.ts';
import { type CheckedReach, isKafkaClient, type SaslOptions } from './options.ts';
import { Sockets } from './sockets.ts';

/** A connection that cannot be made is given up after so long, however long all of them together may take. */
const MOST_CONNECT_MS = 10_000;

/** What a client of ours uses where it is a KafkaClient already, or a `Kafka` of kafkajs. */
export function openClient(reach: CheckedReach): KafkaClient {
  const { client } = reach;
  if (isKafkaClient(client)) {
    const { name, connectTimeoutMs, requestTimeoutMs } = reach;
    return client.forStage?.({ name, connectTimeoutMs, requestTimeoutMs }) ?? client;
  }
  registerCodecs();
  filterNegativeTimers();
  // Each has a `Kafka` of its own, so that its connections can be cut without those of the others.
  const open = (sockets: Sockets): Kafka =>
    (client as Kafka | undefined) ?? new Kafka(toConfig(reach, sockets));
  return {
    createProducer(options) {
      const sockets = new Sockets();
      return new KafkajsProducer(open(sockets), sockets, options, reach);
    },
    createAdmin() {
      const sockets = new Sockets();
      return new KafkajsAdmin(open(sockets), sockets, reach);
    },
    createConsumer(options) {
      const sockets = new Sockets();
      return createConsumer(open(sockets), sockets, options);
    },
  };
}

function toConfig(
  { brokers, ssl, sasl, clientId, connectTimeoutMs, requestTimeoutMs }: CheckedReach,
  sockets: Sockets,
): KafkaConfig {
  return {
    brokers: [...brokers],
    clientId,
    ...(ssl === false ? undefined : { ssl: ssl === true ? true : { ...ssl } }),
    // A copy each time: kafkajs hangs its own things on it.
    ...(sasl === undefined ? undefined : { sasl: toSasl(sasl) }),
    connectionTimeout: Math.min(connectTimeoutMs, MOST_CONNECT_MS),
    authenticationTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // Whoever uses it tries again by itself, and knows when to stop.
    retry: { retries: 2, initialRetryTime: 50, maxRetryTime: 500 },
    socketFactory: sockets.create,
    // It calls what passes by being tried again an error, and writes of it on its own.
    logLevel: logLevel.NOTHING,
    logCreator: () => () => {},
  };
}

function toSasl(sasl: SaslOptions): SASLOptions {
  if (sasl.mechanism !== 'oauthbearer') return { ...sasl };
  const { token } = sasl;
  return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await token() }) };
}
