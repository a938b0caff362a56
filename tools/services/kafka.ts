/**
 * A real Kafka for tests and demos, on loopback, in folders of its own that go with it: one broker that is its own
 * controller, or several, of which any minority may be down.
 *
 * Where it comes from, the first that can be had:
 *  1. `STREAMWELD_KAFKA_BROKERS`: a cluster of yours, as `host:port,host:port`. It cannot be crashed.
 *  2. Docker, where an engine answers, for a single broker.
 *  3. Java 17 or later, and Maven for the jars.
 *
 *     client ──► plain                    ┐
 *     client ──► your proxy ──► proxied   ├ the broker: each listener tells its clients to come back
 *     client ──► sasl, tls, saslTls       ┘ the way they came, so one behind a proxy stays behind it
 */

import { createPrivateKey, randomBytes } from 'node:crypto';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { freePort } from './free-port.ts';
import type { KafkaEngine, KafkaEngines, KafkaSetup } from './kafka-engine.ts';
import { findDocker } from './kafka-docker.ts';
import { findJava } from './kafka-java.ts';

type KafkaListener = 'plain' | 'proxied' | 'sasl' | 'tls' | 'saslTls';

export interface KafkaService {
  readonly kind: 'given' | 'docker' | 'java';
  /** Of the listener that wants nothing of its clients: `host:port` of each broker. */
  readonly brokers: string[];
  /** What to connect to for another listener; it throws where the options did not ask for that one. */
  at(listener: KafkaListener): string[];
  /** Kills a broker with SIGKILL. Brokers are numbered from 1 on, as in Kafka: that is the one if none is named. */
  crash(broker?: number): Promise<void>;
  /** Starts it again with the same ports and data, and resolves when it answers. */
  restart(broker?: number): Promise<void>;
  /** Stops it where it is, with SIGSTOP; `thaw` lets it go on. */
  freeze(broker?: number): void;
  thaw(broker?: number): void;
  /** Ends all of it and removes its data. */
  stop(): Promise<void>;
}

export interface KafkaServiceOptions {
  /** How many. Default 1. What the cluster keeps for its clients, it keeps on three of them if there are as many. */
  readonly brokers?: number | undefined;
  /** Settings of the brokers, beside those that make it small and quick. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** Only from there: a test that crashes the broker, or says how it is set up, cannot use one that was given. */
  readonly from?: readonly KafkaService['kind'][] | undefined;
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

/** No broker could be had; `message` says why, for each place that was tried. */
export class KafkaUnavailable extends Error {
  override readonly name = 'KafkaUnavailable';
}

/** For tests, which are skipped where there is none. In CI that is an error. */
export async function findKafka(options?: KafkaServiceOptions): Promise<KafkaService | KafkaUnavailable> {
  try {
    return await startKafka(options);
  } catch (error) {
    if (!(error instanceof KafkaUnavailable) || process.env['CI'] !== undefined) throw error;
    return error;
  }
}

/** @throws KafkaUnavailable */
export async function startKafka(options: KafkaServiceOptions = {}): Promise<KafkaService> {
  const from = options.from ?? ['given', 'docker', 'java'];
  const reasons: string[] = [];
  const given = process.env['STREAMWELD_KAFKA_BROKERS'];
  if (from.includes('given')) {
    if (given !== undefined && given !== '') return givenService(given);
    reasons.push('STREAMWELD_KAFKA_BROKERS is not set');
  }
  let nodes: readonly Node[] | undefined;
  for (const [kind, find] of [
    ['docker', findDocker],
    ['java', findJava],
  ] as const) {
    if (!from.includes(kind)) continue;
    try {
      const engines = await find(options.brokers ?? 1);
      // Once, for whatever stands in front of them.
      nodes ??= await planNodes(options);
      return await startOwn(kind, engines, nodes, options);
    } catch (error) {
      reasons.push(`${kind}: ${(error as Error).message}`);
    }
  }
  throw new KafkaUnavailable(`There is no Kafka: ${reasons.join('; ')}.`);
}

function givenService(given: string): KafkaService {
  const refuse = (): never => {
    throw new Error('A Kafka that was given by STREAMWELD_KAFKA_BROKERS is not stopped or started.');
  };
  const brokers = given.split(',').map((broker) => broker.trim());
  return {
    kind: 'given',
    brokers,
    at(listener) {
      if (listener === 'plain') return brokers;
      throw new Error(`A Kafka that was given by STREAMWELD_KAFKA_BROKERS has no listener '${listener}'.`);
    },
    crash: refuse,
    restart: refuse,
    freeze: refuse,
    thaw: refuse,
    stop: () => Promise.resolve(),
  };
}

/** How long a broker may take to answer: a busy machine is slow, one that cannot start says so at once. */
const START_MS = 90_000;

async function startOwn(
  kind: 'docker' | 'java',
  engines: KafkaEngines,
  nodes: readonly Node[],
  options: KafkaServiceOptions,
): Promise<KafkaService> {
  const running: KafkaEngine[] = [];
  const cluster = clusterId();
  for (const node of nodes) running.push(engines.open(setUp(engines.host, node, nodes, cluster, options)));
  const pick = <T>(list: readonly T[], broker: number): T => {
    const found = list[broker - 1];
    if (found === undefined) throw new Error(`There is no broker ${broker}: there are ${list.length}.`);
    return found;
  };
  const start = async (broker = 1, brokers = 1): Promise<void> => {
    const engine = pick(running, broker);
    const { port } = pick(nodes, broker).listeners[0];
    await engine.start();
    for (const until = Date.now() + START_MS; (await known(port)) < brokers; await sleep(50)) {
      const failure = engine.failure() ?? (Date.now() > until ? 'it does not answer' : undefined);
      if (failure === undefined) continue;
      await engine.kill();
      throw new Error(`broker ${broker} did not start: ${failure}`);
    }
  };
  const stop = async (): Promise<void> => {
    await Promise.all(
      running.map(async (engine) => {
        await engine.kill();
        await engine.remove();
      }),
    );
  };
  const started = await Promise.allSettled(nodes.map(({ id }) => start(id, nodes.length)));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  const at = (name: KafkaListener): string[] =>
    nodes.map(({ listeners }) => {
      const found = listeners.find((listener) => listener.name === name);
      if (found === undefined) throw new Error(`This Kafka was not asked for a listener '${name}'.`);
      return `127.0.0.1:${found.advertised}`;
    });
  return {
    kind,
    brokers: at('plain'),
    at,
    crash: (broker = 1) => pick(running, broker).kill(),
    restart: (broker = 1) => start(broker),
    freeze: (broker = 1) => pick(running, broker).freeze(),
    thaw: (broker = 1) => pick(running, broker).thaw(),
    stop,
  };
}

/** A broker that is a controller too. */
interface Node {
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

async function planNodes({ brokers = 1, proxy, users, tls }: KafkaServiceOptions): Promise<Node[]> {
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
  const nodes: Node[] = [];
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

function setUp(
  host: string,
  { id, controllerPort, listeners }: Node,
  nodes: readonly Node[],
  cluster: string,
  { settings, users, tls, jvm = [] }: KafkaServiceOptions,
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
function clusterId(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] as number) & 0x7f;
  return bytes.toString('base64url');
}

/**
 * How many brokers it names in answer to a Metadata request. Its port may be open before it answers, and it may answer before
 * the controller has let it in.
 */
function known(port: number): Promise<number> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      // Metadata (3) in version 1, correlation 1, the client 'p', and an empty list of topics.
      socket.write(Buffer.from([0, 0, 0, 15, 0, 3, 0, 1, 0, 0, 0, 1, 0, 1, 0x70, 0, 0, 0, 0]));
    });
    let answer = Buffer.alloc(0);
    socket.setTimeout(2000, () => socket.destroy());
    socket.on('error', () => {});
    socket.on('close', () => resolve(0));
    socket.on('data', (bytes: Buffer) => {
      answer = Buffer.concat([answer, bytes]);
      // Its length, the correlation, and how many brokers there are.
      if (answer.length < 12) return;
      resolve(answer.readInt32BE(8));
      socket.destroy();
    });
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const service = await startKafka();
  console.log(`${service.kind}: ${service.brokers.join(',')}`);
  console.log('Ctrl-C stops it.');
  process.once('SIGINT', () => void service.stop());
}
