/**
 * KafkaDispatcher: one topic, many sinks, in as many processes as there are. What a dispatcher of core does between sinks,
 * Kafka does between processes:
 *
 *     createSink ─► topic ─► group `name.audit` ─► sink 'audit'       broadcast: a group for each name
 *                       └──► group `name.index` ─► sink 'index'
 *
 *     createSink ─► topic ─► group `name` ─┬─► a sink here             demand, partition: one group, which shares the
 *                                          └─► a sink elsewhere        partitions out among all who are there
 */

import {
  ConcurrentPipeline,
  type DeadLetter,
  type Dispatcher,
  DispatchedPipelineBuilder,
  from,
  type Key,
  type RunReport,
  type Sink,
  type SinkLike,
  type SinkStatus,
  type SourceContext,
  type SubscribeOptions,
} from '@streamweld/core';
import {
  checkCount,
  Deferred,
  ignoreRejection,
  OptionError,
  StreamWeldError,
} from '@streamweld/core/connector';
import { openClient } from './client-kafkajs.ts';
import type { CheckedDispatcherOptions } from './dispatcher-options.ts';
import { KafkaError } from './errors.ts';
import { checkReach } from './options.ts';
import type { KafkaPosition } from './position.ts';
import { decoding } from './record.ts';
import { KafkaSink } from './sink.ts';
import { KafkaSource, type PartitionLag } from './source.ts';

export type KafkaRule<T> =
  | { readonly kind: 'broadcast' | 'demand' }
  | { readonly kind: 'partition'; readonly partitions: number; readonly key: (item: T) => Key };

/** How a sink that is subscribed at a topic is doing. */
export interface KafkaSinkStatus extends SinkStatus {
  /** The group it reads in. */
  readonly groupId: string;
  /** The partitions of the topic that it has now, and how far it is behind in each. */
  readonly partitions: readonly PartitionLag[];
}

/** What subscribeSink answers. */
export interface KafkaSubscription {
  readonly name: string;
  readonly status: KafkaSinkStatus;
  /** Settles when it has ended: with the report of its run, or it rejects with what it failed for. */
  readonly ended: Promise<RunReport>;
  /** Takes the sink out: it is given what was read, flushed and closed; the group gives its partitions to others. */
  unsubscribe(): Promise<void>;
}

/** A source that says when it has joined its group. */
class JoiningSource extends KafkaSource {
  readonly joined: Deferred = new Deferred();

  override async open(context: SourceContext<KafkaPosition>): Promise<void> {
    await super.open(context);
    this.joined.resolve();
  }
}

interface Member<T> {
  readonly subscription: KafkaSubscription;
  readonly given: SinkLike<T>;
}

export class KafkaDispatcher<T> {
  readonly #options: CheckedDispatcherOptions<T>;
  readonly #rule: KafkaRule<T>;
  readonly #members = new Set<Member<T>>();
  #isClosed = false;

  /** Made by a KafkaDispatchedPipelineBuilder. @internal */
  constructor(options: CheckedDispatcherOptions<T>, rule: KafkaRule<T>) {
    this.#options = options;
    this.#rule = rule;
  }

  get name(): string {
    return this.#options.name;
  }

  /**
   * A sink that writes into the topic, for any number of pipelines, here and elsewhere. The sinks that are subscribed go on
   * when they end: more may come from others.
   */
  createSink(batchSize?: number): Sink<T> {
    this.#checkOpen();
    const { reach, topic, encode } = this.#options;
    const rule = this.#rule;
    return new KafkaSink<T>({
      ...reach,
      name: `${this.name} (topic ${topic})`,
      topic,
      value: encode,
      ...(rule.kind === 'partition' ? { key: (item: T) => keyBytes(rule.key(item)) } : undefined),
      ...(batchSize === undefined
        ? undefined
        : { batching: { maxItems: checkCount('createSink batchSize', batchSize) } }),
    });
  }

  /**
   * Subscribes a sink; resolves when it has joined its group. From then on it gets its share of what is in the topic and of
   * what comes, at least once, until it is told to leave, or fails. A failure ends this subscription alone, and `ended` tells
   * it; Kafka gives its share to others.
   * @param partition is given out by Kafka: leave it undefined.
   * @param options those of core's dispatchers. `name` says whom it is of: subscribers of one name share what a broadcast
   * gives to it. Default: the sink's own name.
   * @throws StreamWeldError SW_SUBSCRIPTION_EXISTS, SW_DISPATCHER_CLOSED; SW_KAFKA_… where the topic cannot be read;
   * OptionError
   */
  async subscribeSink(
    sink: SinkLike<T>,
    partition?: undefined,
    options?: SubscribeOptions<T>,
  ): Promise<KafkaSubscription> {
    this.#checkOpen();
    if (partition !== undefined) {
      throw new OptionError(
        'subscribeSink partition',
        'left undefined',
        partition,
        'Kafka gives the partitions of a topic to whoever is there, and anew when somebody comes or goes.',
      );
    }
    if (typeof sink !== 'function' && [...this.#members].some(({ given }) => given === sink)) {
      throw new StreamWeldError(
        'SW_SUBSCRIPTION_EXISTS',
        `This sink is already subscribed to '${this.name}'. A sink is opened once: make another one.`,
        { stage: this.name },
      );
    }
    await this.#checkTopic();
    const inner = this.#innerDispatcher();
    // It alone has the run's own policies, buffer and order per key.
    const own = await (inner as Dispatcher<T, string>).subscribeSink(
      sink,
      (this.#rule.kind === 'partition' ? ALL : undefined) as string,
      options,
    );
    try {
      return await this.#run(sink, inner, own.name, options?.bufferSize);
    } catch (error) {
      await inner.abort(error);
      throw error;
    }
  }

  async #run(
    given: SinkLike<T>,
    inner: Dispatcher<T, string>,
    name: string,
    bufferSize: number | undefined,
  ): Promise<KafkaSubscription> {
    const { reach, topic, begin, decode, onInvalid, sessionTimeoutMs } = this.#options;
    const groupId = this.#rule.kind === 'broadcast' ? `${this.name}.${name}` : this.name;
    const source = new JoiningSource({
      ...reach,
      name: `${name} (topic ${topic})`,
      topics: topic,
      groupId,
      from: begin,
      sessionTimeoutMs,
    });
    const pipeline = new ConcurrentPipeline(
      from(source).validate(decoding(decode), {
        onInvalid: typeof onInvalid === 'string' ? onInvalid : 'deadLetter',
      }),
      inner.createSink(),
    ).name(`${this.name}: ${name}`);
    if (bufferSize !== undefined) pipeline.bufferSize(bufferSize);
    if (typeof onInvalid !== 'string') pipeline.deadLetter(onInvalid() as SinkLike<DeadLetter>);
    const ended = pipeline.run();
    ignoreRejection(ended);
    await new Promise<unknown>((resolve, reject) => {
      void source.joined.promise.then(resolve);
      ended.then(resolve, reject);
    });
    const subscription: KafkaSubscription = {
      name,
      ended,
      get status() {
        const [status] = inner.sinks() as [SinkStatus];
        return { ...status, groupId, partitions: source.lag() };
      },
      unsubscribe: async () => {
        await pipeline.drain();
      },
    };
    const member = { subscription, given };
    this.#members.add(member);
    ended.then(
      () => this.#members.delete(member),
      (error: unknown) => {
        this.#members.delete(member);
        this.#options.logger?.warn(
          `streamweld: the sink '${name}' at the dispatcher '${this.name}' has ended: ${error instanceof Error ? error.message : 'it failed'}`,
        );
      },
    );
    return subscription;
  }

  /** How each sink that is subscribed here is doing; those of other processes are not known. */
  sinks(): KafkaSinkStatus[] {
    return [...this.#members].map(({ subscription }) => subscription.status);
  }

  /** Takes out all sinks that are subscribed here. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#members].map(({ subscription }) => subscription.unsubscribe()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #innerDispatcher(): Dispatcher<T, string> {
    const builder = new DispatchedPipelineBuilder<T>({ name: this.name, logger: null });
    const rule = this.#rule;
    if (rule.kind === 'partition') return builder.partition([ALL], () => ALL, { key: rule.key });
    return (rule.kind === 'broadcast' ? builder.broadcast() : builder.demand()) as Dispatcher<T, string>;
  }

  /** A number of partitions that does not fit would be found out when order is lost, or a worker has nothing to do. */
  async #checkTopic(): Promise<void> {
    const rule = this.#rule;
    if (rule.kind !== 'partition') return;
    const { reach, topic } = this.#options;
    const admin = openClient(checkReach(reach, this.name)).createAdmin();
    await admin.connect();
    try {
      const count = await admin.partitions(topic);
      if (count === rule.partitions) return;
      throw new KafkaError(
        'SW_KAFKA_TOPIC_INVALID',
        `The topic ${JSON.stringify(topic)} has ${count} partitions, and the dispatcher '${this.name}' was built for ${rule.partitions}: keys would go elsewhere than it says. Make a topic of so many partitions, or build it with partition(${count}, …).`,
        { stage: this.name },
      );
    } finally {
      await admin.close();
    }
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new StreamWeldError('SW_DISPATCHER_CLOSED', `The dispatcher '${this.name}' was closed.`, {
      stage: this.name,
    });
  }
}

/** Its one partition, within a process: order is kept per key. */
const ALL = 'all';

function keyBytes(key: Key): string | Uint8Array {
  return key instanceof Uint8Array ? key : String(key);
}
