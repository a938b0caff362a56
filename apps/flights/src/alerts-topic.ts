/** The topic of the alerts: looked for before anything is begun, written to in act 2, and read back for the proof. */

import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { makeTopics } from '@streamweld/app-kit/kafka';
import { ConcurrentPipeline, from, type Sink } from '@streamweld/core';
import { decoding, type KafkaRecord, KafkaSink, KafkaSource } from '@streamweld/kafka';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import type { Flight } from './flight.ts';
import { ALERTS_TOPIC, KafkaUnavailable } from './kafka.ts';
import type { Stage } from './stage.ts';
import { UpTo } from './up-to.ts';

/** An alert as it lies in the topic. */
export interface Told {
  readonly key: string;
  readonly flight: Flight;
}

/** By lane, `topic/0`, the offset of the next record. */
type Offsets = Readonly<Record<string, string>>;

/** Of a topic that the demo makes. */
const PARTITIONS = 3;
/** How long it may take until it is known whether there is a Kafka: whoever waits has not seen anything yet. */
const OPEN_MS = 8000;
/** Which run has written a record: the topic may have others of earlier demos, or of one that runs now. */
const RUN_HEADER = 'run';

export class AlertsTopic {
  readonly #brokers: readonly string[];
  readonly #run = randomUUID();
  /** Where the topic ended before this run. */
  readonly #begins: Offsets;

  private constructor(brokers: readonly string[], begins: Offsets) {
    this.#brokers = brokers;
    this.#begins = begins;
  }

  /**
   * Makes the topic where it is missing.
   * @throws KafkaUnavailable
   */
  static async open(brokers: readonly string[], signal: AbortSignal): Promise<AlertsTopic> {
    signal.throwIfAborted();
    const over = new AbortController();
    const admin = adminOf(brokers, over.signal);
    try {
      const adminOfOne = (broker: string) => adminOf([broker], over.signal);
      const looked = look(admin, adminOfOne, over.signal);
      const begins = await Promise.race([looked, gaveUp(AbortSignal.any([signal, over.signal]))]);
      await admin.disconnect();
      return new AlertsTopic(brokers, begins);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof KafkaUnavailable) throw error;
      const which = `The Kafka at ${brokers.join(', ')} cannot be used`;
      const remedy = 'See that brokers run there and can be reached';
      throw new KafkaUnavailable(which, reasonOf(error), remedy, { cause: error });
    } finally {
      over.abort();
    }
  }

  /** Records of one airport are in one partition, in order. */
  sink(): Sink<Flight> {
    return new KafkaSink<Flight>({
      name: 'kafka',
      brokers: this.#brokers,
      topic: ALERTS_TOPIC,
      key: ({ origin }) => origin,
      headers: () => ({ [RUN_HEADER]: this.#run }),
    });
  }

  /** What this run has written, partition by partition in order: all that is committed, up to what is there now. */
  async readBack({ progress, shutdown }: Stage): Promise<Told[]> {
    const ends = await this.#ask(offsetsOf);
    const total = Object.entries(ends).reduce(
      (sum, [lane, end]) => sum + Number(BigInt(end) - BigInt(this.#begins[lane] ?? 0)),
      0,
    );
    const told: Told[] = [];
    if (total === 0) return told;
    const groupId = `streamweld-flights-${this.#run}`;
    const source = new KafkaSource({
      name: 'alerts',
      brokers: this.#brokers,
      topics: ALERTS_TOPIC,
      groupId,
      from: this.#begins,
      reconnectMs: 20_000,
    });
    const pipeline = new ConcurrentPipeline(
      from(new UpTo(source, ends, this.#begins))
        .filter(({ headers }) => textOf(headers[RUN_HEADER]) === this.#run)
        .validate(decoding(toTold)),
      (batch: readonly Told[]) => {
        for (const each of batch) told.push(each);
      },
    );
    const running = pipeline.run({ signal: shutdown.signal });
    const read = () => {
      const snapshot = pipeline.snapshot();
      const { elapsedMs } = snapshot;
      return { title: 'Proof, reading the alerts', total, items: told.length, elapsedMs, pipeline: snapshot };
    };
    await progress.during(read, () => running);
    // It was for this proof alone. Where it may not be removed, it is forgotten with time.
    await this.#ask((admin) => admin.deleteGroups([groupId])).catch(() => {});
    return told;
  }

  async #ask<R>(question: (admin: Admin) => Promise<R>): Promise<R> {
    const admin = adminOf(this.#brokers);
    try {
      await admin.connect();
      return await question(admin);
    } finally {
      await admin.disconnect();
    }
  }
}

/** @param over cuts its connections: on one that does not answer, the client itself would wait for long. */
function adminOf(brokers: readonly string[], over?: AbortSignal): Admin {
  const sockets = new Set<Socket>();
  over?.addEventListener('abort', () => {
    for (const socket of sockets) socket.destroy(new Error('Given up.'));
  });
  return new Kafka({
    brokers: [...brokers],
    clientId: 'streamweld-flights',
    logLevel: logLevel.NOTHING,
    connectionTimeout: 3000,
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 500 },
    socketFactory: ({ host, port, onConnect }) => {
      over?.throwIfAborted();
      const socket = connect({ host, port }, onConnect);
      sockets.add(socket);
      return socket.once('close', () => sockets.delete(socket));
    },
  }).admin();
}

/** Where the topic ends. It is made where it is missing. */
async function look(
  admin: Admin,
  adminOfOne: (broker: string) => Admin,
  signal: AbortSignal,
): Promise<Offsets> {
  await admin.connect();
  const topics = await admin.listTopics();
  if (!topics.includes(ALERTS_TOPIC)) {
    try {
      const topics = [{ topic: ALERTS_TOPIC, numPartitions: PARTITIONS, replicationFactor: -1 }];
      await makeTopics({ admin, adminOf: adminOfOne, topics, signal });
    } catch (error) {
      const which = `Kafka has no topic ${ALERTS_TOPIC}, and did not make it`;
      throw new KafkaUnavailable(which, reasonOf(error), 'Make it yourself', { cause: error });
    }
  }
  return offsetsOf(admin);
}

async function offsetsOf(admin: Admin): Promise<Offsets> {
  const found = await admin.fetchTopicOffsets(ALERTS_TOPIC);
  return Object.fromEntries(found.map(({ partition, high }) => [`${ALERTS_TOPIC}/${partition}`, high]));
}

/** Rejects when it has taken too long, or is not wanted any more. */
function gaveUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${OPEN_MS / 1000} s`)), OPEN_MS);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** The innermost says what it was: what is around it says how often it was tried. */
function reasonOf(error: unknown): string {
  const { cause, errors, message } = error as { cause?: unknown; errors?: unknown[]; message?: string };
  const inner = cause ?? errors?.[0];
  return inner instanceof Error ? reasonOf(inner) : (message ?? String(error));
}

function toTold({ key, value }: KafkaRecord): Told {
  return { key: textOf(key), flight: JSON.parse(textOf(value)) as Flight };
}

function textOf(bytes: KafkaRecord['key'] | KafkaRecord['headers'][string] | undefined): string {
  return bytes instanceof Uint8Array ? Buffer.from(bytes).toString() : '';
}
