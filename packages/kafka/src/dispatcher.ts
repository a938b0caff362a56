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
  type SinkContext,
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
import type { KafkaSinkOptions } from './sink-options.ts';
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

/** A sink that first looks whether the topic is as it should be. */
class CheckedSink<T> extends KafkaSink<T> {
  readonly #check: () => Promise<void>;

  constructor(options: KafkaSinkOptions<T>, check: () => Promise<void>) {
    super(options);
    this.#check = check;
  }

  override async open(context: SinkContext): Promise<void> {
    await this.#check();
    await super.open(context);
  }
}

/** A sink that has joined, or is about to. */
interface Member<T> {
  readonly given: SinkLike<T>;
  /** Undefined where it is one of many in any case, and where the same name was asked for. */
  readonly ownName: string | undefined;
  /** Settles when it has joined, or failed to. */
  joining: Promise<unknown>;
  subscription: KafkaSubscription | undefined;
  /** Ends what is under way. */
  cancel: (reason: unknown) => void;
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
    const options: KafkaSinkOptions<T> = {
      ...reach,
      name: `${this.name} (topic ${topic})`,
      topic,
      value: encode,
      ...(rule.kind === 'partition' ? { key: (item: T) => keyBytes(rule.key(item)) } : undefined),
      ...(batchSize === undefined
        ? undefined
        : { batching: { maxItems: checkCount('createSink batchSize', batchSize) } }),
    };
    return new CheckedSink<T>(options, () => this.#checkTopic());
  }

  /**
   * Subscribes a sink; resolves when it has joined its group. From then on it gets its share of what is in the topic and of
   * what comes, at least once, until it is told to leave, or fails. A failure ends this subscription alone, and `ended` tells
   * it; Kafka gives its share to others.
   * @param partition is given out by Kafka: leave it undefined.
   * @param options those of core's dispatchers. `name` says whom it is of: subscribers of one name share what a broadcast
   * gives to it. Default: the sink's own name, where it has one and no other sink here has it; a function has none.
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
    const member = this.#register(sink, options?.name);
    this.#members.add(member);
    try {
      const subscribing = this.#subscribe(member, options);
      member.joining = subscribing;
      return await subscribing;
    } catch (error) {
      this.#members.delete(member);
      throw error;
    }
  }

  /** @throws where the sink is here already, or would take from another what is its own */
  #register(given: SinkLike<T>, name: string | undefined): Member<T> {
    if (typeof given !== 'function' && [...this.#members].some((other) => other.given === given)) {
      throw new StreamWeldError(
        'SW_SUBSCRIPTION_EXISTS',
        `This sink is already subscribed to '${this.name}'. A sink is opened once: make another one.`,
        { stage: this.name },
      );
    }
    const isNamed = name !== undefined || this.#rule.kind !== 'broadcast';
    const ownName = isNamed ? undefined : nameOf(given);
    if (
      ownName !== undefined &&
      [...this.#members].some((other) => other.subscription?.name === ownName || other.ownName === ownName)
    ) {
      throw new StreamWeldError(
        'SW_SUBSCRIPTION_EXISTS',
        `Another sink that is called ${JSON.stringify(ownName)} is subscribed to '${this.name}', and sinks of one name share what a broadcast gives to it. Give this one a name of its own: subscribeSink(sink, undefined, { name }). The same name, if sharing is what you want.`,
        { stage: this.name },
      );
    }
    return { given, ownName, joining: Promise.resolve(), subscription: undefined, cancel: () => {} };
  }

  async #subscribe(member: Member<T>, options: SubscribeOptions<T> | undefined): Promise<KafkaSubscription> {
    await this.#checkTopic();
    this.#checkOpen();
    const inner = this.#innerDispatcher();
    // It alone has the run's own policies, buffer and order per key.
    const own = await (inner as Dispatcher<T, string>).subscribeSink(
      member.given,
      (this.#rule.kind === 'partition' ? ALL : undefined) as string,
      options,
    );
    try {
      this.#checkOpen();
      return await this.#run(member, inner, own.name, options?.bufferSize);
    } catch (error) {
      await inner.abort(error);
      throw error;
    }
  }

  async #run(
    member: Member<T>,
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
    const cancelling = new AbortController();
    member.cancel = (reason) => cancelling.abort(reason);
    const ended = pipeline.run({ signal: cancelling.signal });
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
    member.subscription = subscription;
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
    return [...this.#members].flatMap(({ subscription }) => subscription?.status ?? []);
  }

  /** Takes out all sinks that are subscribed here. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(
      [...this.#members].map(async ({ subscription, cancel, joining }) => {
        if (subscription !== undefined) return subscription.unsubscribe();
        cancel(this.#closedError());
        // What it failed for is told to whoever subscribed it.
        await joining.catch(() => {});
      }),
    );
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
    if (this.#isClosed) throw this.#closedError();
  }

  #closedError(): StreamWeldError {
    return new StreamWeldError('SW_DISPATCHER_CLOSED', `The dispatcher '${this.name}' was closed.`, {
      stage: this.name,
    });
  }
}

/** Its one partition, within a process: order is kept per key. */
const ALL = 'all';

/** By which other processes know it too. */
function nameOf(sink: SinkLike<never>): string {
  const { name } = sink as { readonly name?: unknown };
  if (typeof sink !== 'function' && typeof name === 'string' && name !== '') return name;
  throw new OptionError(
    'subscribeSink options.name',
    'a name, the same in every process',
    undefined,
    'A broadcast gives each name all items, and a function, or a sink without a name, has none by which others know it.',
  );
}

function keyBytes(key: Key): string | Uint8Array {
  return key instanceof Uint8Array ? key : String(key);
}
