/** `@platformatic/kafka` as a client of this package: `@streamweld/kafka/platformatic`. */

import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { checkOptions, checkText, OptionError } from '@streamweld/core/connector';
import type { KafkaClient, StageReach } from './client.ts';
import { PlatformaticAdmin } from './client-platformatic-admin.ts';
import { Cluster } from './client-platformatic-cluster.ts';
import { PlatformaticConsumer } from './client-platformatic-consumer.ts';
import { PlatformaticProducer } from './client-platformatic-producer.ts';
import type { PlatformaticModule, PlatformaticSasl } from './client-platformatic-shape.ts';
import { Wire } from './client-platformatic-wire.ts';
import { checkBrokers } from './options.ts';

export type { PlatformaticModule, PlatformaticSasl } from './client-platformatic-shape.ts';

/** As `@platformatic/kafka` calls them. */
export interface PlatformaticOptions {
  /** `host:port` of some brokers: they know the others. Without a port it is 9092. */
  readonly bootstrapBrokers: readonly string[];
  /** What the brokers call this client in their logs and quotas. Default `streamweld`. */
  readonly clientId?: string | undefined;
  /** Options of `tls.connect`; `{}` is enough where the authority is a known one. Default: none. */
  readonly tls?: TlsOptions | undefined;
  /** Who the user is. */
  readonly sasl?: PlatformaticSasl | undefined;
}

/** For whoever uses it without a source or sink. */
const ALONE: StageReach = { name: 'kafka', connectTimeoutMs: 15_000, requestTimeoutMs: 30_000 };

/**
 * A client for the `client` option of KafkaSource, KafkaSink and KafkaDispatcher.
 *
 * @example
 * import * as platformatic from '@platformatic/kafka';
 * const client = platformaticClient(platformatic, { bootstrapBrokers: ['localhost:9092'] });
 */
export function platformaticClient(module: PlatformaticModule, options: PlatformaticOptions): KafkaClient {
  checkModule(module);
  const given = checkOptions<PlatformaticOptions>('platformaticClient', options, [
    'bootstrapBrokers',
    'clientId',
    'tls',
    'sasl',
  ]);
  const bootstrap = checkBrokers('bootstrapBrokers', given.bootstrapBrokers).map((broker) => {
    const at = broker.lastIndexOf(':');
    return { host: broker.slice(0, at), port: Number(broker.slice(at + 1)) };
  });
  const clientId = checkText('clientId', given.clientId ?? 'streamweld');
  const { tls, sasl } = given;
  if (tls !== undefined && (typeof tls !== 'object' || tls === null)) {
    // It is not shown: it may be a key.
    throw new OptionError('tls', 'an object of options of tls.connect', typeof tls);
  }
  if (sasl !== undefined && (typeof sasl !== 'object' || sasl === null)) {
    throw new OptionError('sasl', 'an object with a mechanism', typeof sasl);
  }
  const open = (reach: StageReach): KafkaClient => {
    // Each has connections of its own, so that they can be cut without those of the others.
    const cluster = (requestTimeoutMs = reach.requestTimeoutMs): Cluster =>
      new Cluster(new Wire({ module, bootstrap, clientId, tls, sasl, ...reach, requestTimeoutMs }));
    return {
      createProducer: (producer) => new PlatformaticProducer(cluster(), producer),
      createConsumer(consumer) {
        // Whose answer does not come for so long is no member any more.
        const lostMs = 2 * (consumer.rebalanceTimeoutMs + consumer.sessionTimeoutMs);
        return new PlatformaticConsumer(cluster(Math.min(reach.requestTimeoutMs, lostMs)), consumer);
      },
      createAdmin: () => new PlatformaticAdmin(cluster()),
      forStage: open,
    };
  };
  return open(ALONE);
}

function checkModule(module: PlatformaticModule): void {
  const { Connection, fetchV13 } = (module ?? {}) as Partial<PlatformaticModule>;
  if (typeof Connection === 'function' && typeof fetchV13?.api === 'function') return;
  throw new OptionError(
    'module',
    "what import * as platformatic from '@platformatic/kafka' gives, of version 1.35 or later",
    typeof module,
  );
}
