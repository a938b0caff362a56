/**
 * Of the project `kafka-platformatic`: whoever says where the brokers are gets `@platformatic/kafka` there, and no kafkajs. So
 * the same tests show what the connector does with either of them.
 */

import { createRequire } from 'node:module';
import * as platformatic from '@platformatic/kafka';
import { vi } from 'vitest';
import type { KafkaClient } from '../src/client.ts';
import { platformaticClient, type PlatformaticSasl } from '../src/client-platformatic.ts';
import { registerCodecs } from '../src/codecs.ts';
import type { CheckedReach, SaslOptions } from '../src/options.ts';

// For programs that tests start.
process.env['STREAMWELD_KAFKA_MODULE'] = createRequire(import.meta.url).resolve('@platformatic/kafka');

// Who reads back what was written is bare kafkajs.
registerCodecs();

vi.mock(import('../src/client-kafkajs.ts'), async (original) => {
  const { openClient } = await original();
  return {
    openClient: (reach: CheckedReach): KafkaClient =>
      openClient(reach.client === undefined ? { ...reach, client: withPlatformatic(reach) } : reach),
  };
});

function withPlatformatic({ brokers, clientId, ssl, sasl }: CheckedReach): KafkaClient {
  return platformaticClient(platformatic, {
    bootstrapBrokers: brokers,
    clientId,
    tls: ssl === false ? undefined : ssl === true ? {} : ssl,
    sasl: sasl === undefined ? undefined : toSasl(sasl),
  });
}

function toSasl(sasl: SaslOptions): PlatformaticSasl {
  if (sasl.mechanism === 'oauthbearer') return { mechanism: 'OAUTHBEARER', token: async () => sasl.token() };
  const { username, password } = sasl;
  return { mechanism: MECHANISMS[sasl.mechanism], username, password };
}

const MECHANISMS = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
} as const;
