/**
 * A producer of kafkajs, as what `client.ts` asks for. What kafkajs does by itself and must not, or does not and must, is
 * put right here:
 *
 *  - A request that fails at one broker while another has not answered is repeated at both, under new sequence numbers: the
 *    other one writes it twice. So each of its sends goes to one broker, and is repeated here.
 *  - It leaves out, without a word, what is for a partition it does not know. So the answer is held against the request.
 *  - Of several partitions that answer it tells the first error alone. Where that blames records, each is sent on its own:
 *    a partition that has its batch already knows it by its sequence number.
 *  - It sorts a batch by partition in a way that costs with its square: it is given them sorted.
 *  - It may hang, and waits for what is outstanding before it disconnects: its connections are cut from outside.
 */

import { runtime, type StreamWeldError } from '@streamweld/core/connector';
import kafkajs, {
  type Kafka,
  type PartitionerArgs,
  type Producer,
  type ProducerBatch,
  type RecordMetadata,
} from 'kafkajs';
import type {
  Compression,
  KafkaProducer,
  KafkaTransaction,
  OutgoingBatch,
  ProducerOptions,
  SendFailure,
} from './client.ts';
import { byTopic, type Call, type Outgoing, toMessages } from './client-kafkajs-messages.ts';
import { disconnect, endingWith } from './client-kafkajs-ending.ts';
import { attempt, Patience } from './patience.ts';
import { checkCodec } from './codecs.ts';
import { within } from './deadline.ts';
import { mayBeRepeated, UNKNOWN_MS, withoutFence, WRITTEN } from './delivery-verdicts.ts';
import { isRefusal, KafkaError, type Translation, toKafkaError } from './errors.ts';
import type { CheckedReach } from './options.ts';
import type { Sockets } from './sockets.ts';

const { CompressionTypes } = kafkajs;
const COMPRESSION: Readonly<Record<Compression, number>> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

/** A producer, or a transaction of one. */
interface Sender {
  sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]>;
}

export class KafkajsProducer implements KafkaProducer {
  readonly #producer: Producer;
  readonly #sockets: Sockets;
  readonly #options: ProducerOptions;
  readonly #reach: CheckedReach;
  readonly #given = new AbortController();
  /** The broker of each partition, as it was last known, by topic. */
  readonly #leaders = new Map<string, Map<number, number>>();

  constructor(kafka: Kafka, sockets: Sockets, options: ProducerOptions, reach: CheckedReach) {
    this.#sockets = sockets;
    this.#options = options;
    this.#reach = reach;
    const { isIdempotent, transactionalId, transactionTimeoutMs } = options;
    this.#producer = kafka.producer({
      allowAutoTopicCreation: false,
      // The least that it takes. What it wraps in its own retries is repeated here, under the same sequence numbers.
      retry: { retries: 1, initialRetryTime: 20, maxRetryTime: 20 },
      createPartitioner: () => this.#placed,
      ...(transactionalId === undefined
        ? { idempotent: isIdempotent }
        : { transactionalId, transactionTimeout: transactionTimeoutMs }),
    });
  }

  async connect(): Promise<void> {
    await checkCodec(this.#options.compression);
    const patience = new Patience(this.#reach.connectTimeoutMs, this.#given.signal);
    await attempt(patience, this.#translation('connect to Kafka'), () =>
      this.#underWay(this.#producer.connect()),
    );
  }

  send(batches: readonly OutgoingBatch[]): Promise<readonly SendFailure[]> {
    return this.#send(this.#producer, batches);
  }

  async begin(): Promise<KafkaTransaction> {
    const patience = new Patience(this.#reach.requestTimeoutMs, this.#given.signal);
    const transaction = await attempt(patience, this.#translation('begin a transaction'), () =>
      this.#underWay(this.#producer.transaction()),
    );
    // Tried once: who is in a transaction that failed begins another, with another producer.
    const once = async <T>(action: string, ask: () => Promise<T>): Promise<T> => {
      try {
        return await within(this.#reach.requestTimeoutMs, this.#underWay(ask()), this.#given.signal);
      } catch (error) {
        throw toKafkaError(error, this.#translation(action));
      }
    };
    return {
      send: (batches) => this.#send(transaction, batches),
      sendOffsets: (groupId, offsets) =>
        once('put the offsets into a transaction', () =>
          transaction.sendOffsets({ consumerGroupId: groupId, topics: byTopic(offsets) }),
        ),
      commit: () => once('commit a transaction', () => transaction.commit()),
      abort: () => once('abort a transaction', () => transaction.abort()),
    };
  }

  async close(): Promise<void> {
    this.abandon();
    await disconnect(this.#producer);
  }

  abandon(): void {
    this.#given.abort(new Error('Not connected: the client was given up.'));
    this.#sockets.cut();
  }

  async #send(sender: Sender, batches: readonly OutgoingBatch[]): Promise<readonly SendFailure[]> {
    const patience = new Patience(this.#options.deliveryTimeoutMs, this.#given.signal);
    const failures = await Promise.all(
      this.#byLeader(batches).map((group) => this.#deliver(sender, group, patience)),
    );
    return failures.flat();
  }

  /** What goes to one broker, as far as is known: of what is not known, all in one. */
  #byLeader(batches: readonly OutgoingBatch[]): OutgoingBatch[][] {
    const groups = new Map<number | undefined, OutgoingBatch[]>();
    for (const batch of batches) {
      const leader = this.#leaders.get(batch.topic)?.get(batch.partition);
      const group = groups.get(leader);
      if (group === undefined) groups.set(leader, [batch]);
      else group.push(batch);
    }
    return [...groups.values()];
  }

  /** The same until all of it is over: its sequence numbers stay, so that a broker that has it does not take it again. */
  async #deliver(
    sender: Sender,
    batches: readonly OutgoingBatch[],
    patience: Patience,
  ): Promise<readonly SendFailure[]> {
    const [batch] = batches as readonly [OutgoingBatch];
    const action = 'write to Kafka';
    const translation =
      batches.length === 1
        ? { ...this.#translation(action), topic: batch.topic, partition: batch.partition }
        : this.#translation(action);
    const fail = (failed: readonly OutgoingBatch[], error: StreamWeldError): SendFailure[] =>
      failed.map(({ topic, partition }) => ({ topic, partition, error }));
    const begun = runtime.now();
    for (;;) {
      const call: Call = { first: undefined, leader: undefined, isSplit: false };
      try {
        const sending = sender.sendBatch({
          acks: this.#options.acks,
          timeout: this.#reach.requestTimeoutMs,
          compression: COMPRESSION[this.#options.compression],
          topicMessages: toMessages(batches, call),
        });
        const answer = await this.#underWay(sending);
        if (this.#options.acks === 0) return [];
        const missing = unanswered(batches, answer);
        return missing.map((each) => unknownPartition(translation, each));
      } catch (error) {
        if (call.isSplit) {
          const groups = this.#byLeader(batches);
          const failures = await Promise.all(groups.map((group) => this.#deliver(sender, group, patience)));
          return failures.flat();
        }
        const { transactionalId } = this.#options;
        const translated = withoutFence(toKafkaError(error, translation), transactionalId, this.#reach.name);
        const { kafkaError } = translated as Partial<KafkaError>;
        // The answer that was lost is made up for: it is written.
        if (kafkaError === WRITTEN && batches.length === 1) return [];
        if ((kafkaError === WRITTEN || isRefusal(translated)) && batches.length > 1) {
          const failures: SendFailure[] = [];
          for (const each of batches) failures.push(...(await this.#deliver(sender, [each], patience)));
          return failures;
        }
        const isLate = translated.code === 'SW_KAFKA_TOPIC_UNKNOWN' && runtime.now() - begun > UNKNOWN_MS;
        if (isLate || !mayBeRepeated(translated) || !(await patience.wait()))
          return fail(batches, translated);
      }
    }
  }

  #underWay<T>(promise: Promise<T>): Promise<T> {
    return endingWith(this.#producer, this.#given.signal, promise);
  }

  /** kafkajs asks for a partition, and shows the brokers: a call that would go to two of them is stopped before it is sent. */
  readonly #placed = ({ topic, partitionMetadata, message }: PartitionerArgs): number => {
    const { partition, call } = message as Outgoing;
    if (call === undefined) return partition;
    // Tried again, it may go elsewhere.
    if (call.first === message) call.leader = undefined;
    const leader = partitionMetadata.find(({ partitionId }) => partitionId === partition)?.leader;
    if (leader === undefined) return partition;
    let known = this.#leaders.get(topic);
    if (known === undefined) this.#leaders.set(topic, (known = new Map()));
    known.set(partition, leader);
    call.leader ??= leader;
    if (call.leader === leader) return partition;
    call.isSplit = true;
    throw new Error('It goes to two brokers.');
  };

  #translation(action: string): Translation {
    return { action, stage: this.#reach.name };
  }
}

/** Batches that no broker has answered for. */
function unanswered(batches: readonly OutgoingBatch[], answer: readonly RecordMetadata[]): OutgoingBatch[] {
  const written = new Map<string, Set<number>>();
  for (const { topicName, partition } of answer) {
    let partitions = written.get(topicName);
    if (partitions === undefined) written.set(topicName, (partitions = new Set()));
    partitions.add(partition);
  }
  return batches.filter(({ topic, partition }) => written.get(topic)?.has(partition) !== true);
}

function unknownPartition({ stage }: Translation, { topic, partition }: OutgoingBatch): SendFailure {
  const error = new KafkaError(
    'SW_KAFKA_TOPIC_UNKNOWN',
    `Could not write to Kafka: no broker answered for partition ${partition} of topic ${JSON.stringify(topic)}. Is there such a partition?`,
    { stage, topic, partition, isTransient: true },
  );
  return { topic, partition, error, isUnsent: true };
}
