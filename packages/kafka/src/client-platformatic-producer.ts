/**
 * A producer over `@platformatic/kafka`, as what `client.ts` asks for. Sequence numbers are counted here, one for each record
 * of a partition, and a batch keeps its own until a broker has answered for it: so what is sent again is not written twice, and
 * what a broker has refused takes none.
 *
 *  - P5 The producer of the client gives records that are sent at once the same numbers, and so records behind a failure: the
 *    broker drops what it takes for a repetition, and acknowledges it.
 *  - P6 It asks for its identity as producer 0 of epoch 0, and is fenced where its transactional id was used before.
 *
 * So it is not used.
 */

import { runtime, type StreamWeldError } from '@streamweld/core/connector';
import type {
  Compression,
  KafkaProducer,
  KafkaTransaction,
  OutgoingBatch,
  ProducerOptions,
  SendFailure,
} from './client.ts';
import { attempt, Patience } from './patience.ts';
import type { Cluster } from './client-platformatic-cluster.ts';
import { BrokerRefusal, isElsewhere } from './client-platformatic-errors.ts';
import type { Requests } from './client-platformatic-requests.ts';
import type { PlatformaticModule } from './client-platformatic-shape.ts';
import { type Identity, Transaction, type TransactionHost } from './client-platformatic-transaction.ts';
import type { Address } from './client-platformatic-wire.ts';
import { mayBeRepeated, UNKNOWN_MS, withoutFence, WRITTEN } from './delivery-verdicts.ts';
import { KafkaError, toKafkaError, type Translation } from './errors.ts';
import { laneOf } from './position.ts';
import { encodeBatch } from './record-batch.ts';

type Algorithm = PlatformaticModule['compressionsAlgorithms'][string];

const NOBODY: Identity = { producerId: -1n, producerEpoch: -1 };

/** Sequence numbers begin again behind it. */
const SEQUENCES = 2 ** 31;

export class PlatformaticProducer implements KafkaProducer {
  readonly #cluster: Cluster;
  readonly #options: ProducerOptions;
  readonly #given = new AbortController();
  #identity: Identity | undefined;
  /** Of the next record of each partition. */
  readonly #sequences = new Map<string, number>();

  constructor(cluster: Cluster, options: ProducerOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  async connect(): Promise<void> {
    const { isIdempotent, transactionalId, compression } = this.#options;
    const { connectTimeoutMs, module } = this.#cluster.wire.options;
    checkCompression(compression, module.compressionsAlgorithms[compression]?.available === true);
    const patience = new Patience(connectTimeoutMs, this.#given.signal);
    await attempt(patience, this.#translation('connect to Kafka'), async () => {
      await this.#cluster.look([]);
      // Who is in no transaction is nobody's twin. In one it fences the one before, when it begins.
      if (isIdempotent && transactionalId === undefined)
        this.#identity = await this.#cluster.wire.askAny('initProducerIdV4', [undefined, 0, -1n, -1]);
    });
  }

  send(batches: readonly OutgoingBatch[]): Promise<readonly SendFailure[]> {
    return this.#send(batches, this.#identity ?? NOBODY, undefined);
  }

  async begin(): Promise<KafkaTransaction> {
    const { transactionalId, transactionTimeoutMs } = this.#options;
    if (transactionalId === undefined) throw new Error('A transaction needs a transactionalId.');
    const patience = new Patience(this.#cluster.wire.options.requestTimeoutMs, this.#given.signal);
    const host: TransactionHost = {
      cluster: this.#cluster,
      transactionalId,
      signal: this.#given.signal,
      translation: (action) => this.#translation(action),
      send: (batches, transaction) => this.#send(batches, transaction.identity, transaction),
    };
    this.#identity ??= await attempt(patience, this.#translation('begin a transaction'), () =>
      Transaction.coordinated(host, (at) =>
        this.#cluster.wire.ask(at, 'initProducerIdV4', [transactionalId, transactionTimeoutMs, -1n, -1]),
      ),
    );
    return new Transaction(host, this.#identity);
  }

  close(): Promise<void> {
    this.abandon();
    return Promise.resolve();
  }

  abandon(): void {
    this.#given.abort(new Error('Not connected: the client was given up.'));
    this.#cluster.wire.cut();
  }

  /** Sends what is not written again, under the same sequence numbers, for as long as that may help. */
  async #send(
    batches: readonly OutgoingBatch[],
    identity: Identity,
    transaction: Transaction | undefined,
  ): Promise<readonly SendFailure[]> {
    const patience = new Patience(this.#options.deliveryTimeoutMs, this.#given.signal);
    const begun = runtime.now();
    const failures: SendFailure[] = [];
    for (let pending = batches; ; ) {
      const errors = await this.#once(pending, identity, transaction);
      const again: OutgoingBatch[] = [];
      const late: SendFailure[] = [];
      for (const [batch, error] of errors) {
        const { topic, partition } = batch;
        const failure = this.#judge(error, batch);
        const isUnknown = failure.code === 'SW_KAFKA_TOPIC_UNKNOWN' && runtime.now() - begun > UNKNOWN_MS;
        if (isUnknown || !mayBeRepeated(failure)) failures.push({ topic, partition, error: failure });
        else {
          again.push(batch);
          late.push({ topic, partition, error: failure });
        }
      }
      if (again.length === 0) return failures;
      if (!(await patience.wait())) return [...failures, ...late];
      pending = again;
    }
  }

  /** What failed, and why. */
  async #once(
    batches: readonly OutgoingBatch[],
    identity: Identity,
    transaction: Transaction | undefined,
  ): Promise<Map<OutgoingBatch, unknown>> {
    const failed = new Map<OutgoingBatch, unknown>();
    const byLeader = new Map<string, { readonly at: Address; readonly batches: OutgoingBatch[] }>();
    try {
      await this.#cluster.know(batches.map(({ topic }) => topic));
      await transaction?.add(batches);
      for (const batch of batches) {
        try {
          const at = this.#cluster.leader(batch);
          const key = `${at.host}:${at.port}`;
          const known = byLeader.get(key);
          if (known === undefined) byLeader.set(key, { at, batches: [batch] });
          else known.batches.push(batch);
        } catch (error) {
          failed.set(batch, error);
        }
      }
    } catch (error) {
      for (const batch of batches) failed.set(batch, error);
    }
    if (failed.size < batches.length) {
      const sending = [...byLeader.values()].map((each) =>
        this.#produce(each.at, each.batches, identity, failed),
      );
      await Promise.all(sending);
    }
    // What is known of them may be what is wrong.
    const stale = [...failed].filter(([, error]) => isElsewhere(error));
    this.#cluster.doubt(stale.map(([{ topic }]) => topic));
    return failed;
  }

  async #produce(
    at: Address,
    batches: readonly OutgoingBatch[],
    identity: Identity,
    failed: Map<OutgoingBatch, unknown>,
  ): Promise<void> {
    const { acks, compression, transactionalId, isIdempotent } = this.#options;
    const { requestTimeoutMs, module } = this.#cluster.wire.options;
    const isTransactional = transactionalId !== undefined;
    const numbered = isIdempotent || isTransactional;
    const sequence = (lane: string): number => this.#sequences.get(lane) ?? 0;
    const { bitmask, compressSync } = module.compressionsAlgorithms[compression] as Algorithm;
    const codec = { bitmask, compress: compressSync, crc32c: module.crc32c };
    const by = { ...identity, isTransactional };
    let answer: Requests['produceV9']['answer'];
    try {
      const encoded = batches.map((batch) => {
        const first = numbered ? sequence(laneOf(batch)) : -1;
        return { ...batch, bytes: encodeBatch(batch.records, by, first, codec) };
      });
      answer = await this.#cluster.wire.ask(at, 'produceV9', [
        acks,
        requestTimeoutMs,
        transactionalId,
        encoded,
      ]);
    } catch (error) {
      if (!(error instanceof BrokerRefusal) || error.response === undefined) {
        for (const batch of batches) failed.set(batch, error);
        return;
      }
      answer = error.response as Requests['produceV9']['answer'];
    }
    if (typeof answer === 'boolean') return;
    const codes = new Map<string, number>();
    for (const { name: topic, partitionResponses } of answer.responses) {
      for (const { index: partition, errorCode } of partitionResponses)
        codes.set(laneOf({ topic, partition }), errorCode);
    }
    for (const batch of batches) {
      const lane = laneOf(batch);
      const code = codes.get(lane);
      const refusal =
        code === undefined
          ? new BrokerRefusal('UNKNOWN_TOPIC_OR_PARTITION', true)
          : code === 0
            ? undefined
            : this.#cluster.refusal(code);
      // The answer that was lost is made up for: it is written.
      if (refusal === undefined || refusal.type === WRITTEN)
        this.#sequences.set(lane, (sequence(lane) + batch.records.length) % SEQUENCES);
      else failed.set(batch, refusal);
    }
  }

  #judge(error: unknown, { topic, partition }: OutgoingBatch): StreamWeldError {
    const { name } = this.#cluster.wire.options;
    const translated = toKafkaError(error, { ...this.#translation('write to Kafka'), topic, partition });
    return withoutFence(translated, this.#options.transactionalId, name);
  }

  #translation(action: string): Translation {
    return { action, stage: this.#cluster.wire.options.name };
  }
}

function checkCompression(compression: Compression, isAvailable: boolean): void {
  if (isAvailable) return;
  throw new KafkaError(
    'SW_KAFKA_COMPRESSION_MISSING',
    `@platformatic/kafka has no codec for compression '${compression}' here: for 'zstd' it takes that of Node, from 22.15 on. Take another.`,
  );
}
