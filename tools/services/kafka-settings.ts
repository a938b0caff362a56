/** How the brokers of a test are set up: their listeners and ports, and what makes them small and quick. */

import { createPrivateKey, randomBytes } from 'node:crypto';
import { freePort } from './free-port.ts';
import type { KafkaSetup } from './kafka-engine.ts';

export type KafkaListener = 'plain' | 'proxied' | 'sasl' | 'tls' | 'saslTls';

export interface KafkaSetupOptions {
  /** How many. Default 1. What the cluster keeps for its clients, it keeps on three of them if there are as many. */
  readonly brokers?: number | undefined;
  /** Settings of the brokers, beside those that make it small and quick. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined;
  /**
   * Puts something in front of the listener `proxied`: it is called once a broker with the port to pass connections on to,
   * before anything listens there, and answers with its own port. It outlives crashes.
   */
  readonly proxy?: ((port: number) => Promise<number>) | undefined;
  /** Who may come in through `sasl` and `saslTls`, by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512: names and their passwords. */
  readonly users?: Readonly<Record<string, string>> | undefined;
  /** Opens `tls`, and `saslTls` where there are users. */
  readonly tls?: KafkaTls | undefined;
  /** Flags of the JVM, which override those that make it small and quick to start. */
  readonly jvm?: readonly string[] | undefined;
}

/** All of it as PEM. */
interface KafkaTls {
  /** What the broker presents: its certificate, and those that lead to the authority behind it. */
  readonly certificate: string;
  readonly key: string;
  /** Whoever connects must present a certificate from there. */
  readonly clientAuthority?: string | undefined;
}

/** A broker that is a controller too. */
export interface KafkaNode {
  readonly id: number;
  readonly controllerPort: number;
  readonly listeners: readonly [Listener, ...Listener[]];
}

interface Listener {
  readonly name: KafkaListener;
  /** The broker's name for it. */
  readonly label: string;
  readonly protocol: string;
  readonly port: number;
  /** Where its clients find it. */
  readonly advertised: number;
}

export async function planNodes({ brokers = 1, proxy, users, tls }: KafkaSetupOptions): Promise<KafkaNode[]> {
  const taken = new Set<number>();
  const newPort = async (): Promise<number> => {
    for (;;) {
      const port = await freePort();
      if (taken.has(port)) continue;
      taken.add(port);
      return port;
    }
  };
  const open = async (name: KafkaListener, protocol: string): Promise<Listener> => {
    const port = await newPort();
    const advertised = name === 'proxied' && proxy !== undefined ? await proxy(port) : port;
    return { name, label: name.toUpperCase(), protocol, port, advertised };
  };
  const nodes: KafkaNode[] = [];
  for (let id = 1; id <= brokers; id++) {
    nodes.push({
      id,
      controllerPort: await newPort(),
      listeners: [
        await open('plain', 'PLAINTEXT'),
        ...(proxy === undefined ? [] : [await open('proxied', 'PLAINTEXT')]),
        ...(users === undefined ? [] : [await open('sasl', 'SASL_PLAINTEXT')]),
        ...(tls === undefined ? [] : [await open('tls', 'SSL')]),
        ...(users === undefined || tls === undefined ? [] : [await open('saslTls', 'SASL_SSL')]),
      ],
    });
  }
  return nodes;
}

export function setUp(
  host: string,
  { id, controllerPort, listeners }: KafkaNode,
  nodes: readonly KafkaNode[],
  cluster: string,
  { settings, users, tls, jvm = [] }: KafkaSetupOptions,
): KafkaSetup {
  const copies = Math.min(nodes.length, 3);
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': id,
    'controller.quorum.voters': nodes.map((node) => `${node.id}@127.0.0.1:${node.controllerPort}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAIN',
    listeners: [
      ...listeners.map(({ label, port }) => `${label}://${host}:${port}`),
      `CONTROLLER://127.0.0.1:${controllerPort}`,
    ].join(','),
    'advertised.listeners': listeners
      .map(({ label, advertised }) => `${label}://127.0.0.1:${advertised}`)
      .join(','),
    'listener.security.protocol.map': [
      ...listeners.map(({ label, protocol }) => `${label}:${protocol}`),
      'CONTROLLER:PLAINTEXT',
    ].join(','),
    'offsets.topic.replication.factor': copies,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': Math.min(copies, 2),
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': Math.min(copies, 2),
    'share.coordinator.state.topic.num.partitions': 1,
    // A broker that was killed comes back when its old session is over: that is what a restart waits for.
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 100,
    // A topic that a test did not make is a mistake of the test.
    'auto.create.topics.enable': false,
    // What the broker does now and then, it does while a test looks.
    'log.initial.task.delay.ms': 500,
    'log.retention.check.interval.ms': 500,
    'log.segment.delete.delay.ms': 500,
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500,
    // Small: little memory, few threads, short files.
    'log.segment.bytes': 16 << 20,
    'log.index.size.max.bytes': 1 << 20,
    'log.cleaner.dedupe.buffer.size': (2 << 20) + 1,
    'log.cleaner.io.buffer.size': 1 << 16,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'background.threads': 2,
    'metadata.max.idle.interval.ms': 0,
    ...(users === undefined ? undefined : saslProperties(users)),
    ...(tls === undefined ? undefined : tlsProperties(tls)),
    ...settings,
  };
  return {
    properties: Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, String(value)])),
    format: ['-t', cluster, ...Object.entries(users ?? {}).flatMap(scramRecords)],
    ports: listeners.map(({ port }) => port),
    jvm: [
      '-Xms64m',
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Djava.awt.headless=true',
      ...jvm,
    ],
  };
}

const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

function saslProperties(users: Readonly<Record<string, string>>): Record<string, string> {
  const security = 'org.apache.kafka.common.security';
  const known = Object.entries(users).map(([name, password]) => ` user_${name}="${quoted(password)}"`);
  const properties: Record<string, string> = { 'sasl.enabled.mechanisms': ['PLAIN', ...SCRAM].join(',') };
  // The names of listeners are in lower case there.
  for (const listener of ['sasl', 'sasltls']) {
    const prefix = `listener.name.${listener}`;
    properties[`${prefix}.plain.sasl.jaas.config`] =
      `${security}.plain.PlainLoginModule required${known.join('')};`;
    for (const mechanism of SCRAM) {
      properties[`${prefix}.${mechanism.toLowerCase()}.sasl.jaas.config`] =
        `${security}.scram.ScramLoginModule required;`;
    }
  }
  return properties;
}

/** For between double quotes. */
function quoted(text: string): string {
  return text.replaceAll(/["\\]/g, '\\$&');
}

function scramRecords([name, password]: readonly [string, string]): string[] {
  return SCRAM.flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${name},password=${password}]`]);
}

function tlsProperties({ certificate, key, clientAuthority }: KafkaTls): Record<string, string> {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': certificate,
    // It takes PKCS #8 alone.
    'ssl.keystore.key': String(createPrivateKey(key).export({ type: 'pkcs8', format: 'pem' })),
    ...(clientAuthority === undefined
      ? undefined
      : {
          'ssl.truststore.type': 'PEM',
          'ssl.truststore.certificates': clientAuthority,
          'ssl.client.auth': 'required',
        }),
  };
}

/** 16 bytes in base64url. The first bit is 0, for one that begins with '-' would read as an option. */
export function clusterId(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] as number) & 0x7f;
  return bytes.toString('base64url');
}
