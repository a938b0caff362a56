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

import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { KafkaEngine, KafkaEngines } from './kafka-engine.ts';
import { findDocker } from './kafka-docker.ts';
import { findJava } from './kafka-java.ts';
import {
  type KafkaListener,
  type KafkaNode,
  type KafkaSetupOptions,
  clusterId,
  planNodes,
  setUp,
} from './kafka-settings.ts';

export interface KafkaService {
  readonly kind: 'given' | 'docker' | 'java';
  /** Of the listener that wants nothing of its clients: `host:port` of each broker. */
  readonly brokers: string[];
  /** What to connect to for another listener; it throws where the options did not ask for that one. */
  at(listener: KafkaListener): string[];
  /** Kills a broker with SIGKILL. Brokers are numbered from 1 on, as in Kafka: that is the one if none is named. */
  crash(broker?: number): Promise<void>;
  /** Starts it again with the same ports and data, and resolves when it answers. If it still runs, it is killed first. */
  restart(broker?: number): Promise<void>;
  /** Stops it where it is, with SIGSTOP; `thaw` lets it go on. */
  freeze(broker?: number): void;
  thaw(broker?: number): void;
  /** Ends all of it and removes its data. */
  stop(): Promise<void>;
}

export interface KafkaServiceOptions extends KafkaSetupOptions {
  /** Only from there: a test that crashes the broker, or says how it is set up, cannot use one that was given. */
  readonly from?: readonly KafkaService['kind'][] | undefined;
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
  let nodes: readonly KafkaNode[] | undefined;
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
  nodes: readonly KafkaNode[],
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
    async restart(broker = 1) {
      // Two would not share their data, and the first would be lost sight of.
      await pick(running, broker).kill();
      await start(broker);
    },
    freeze: (broker = 1) => pick(running, broker).freeze(),
    thaw: (broker = 1) => pick(running, broker).thaw(),
    stop,
  };
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
