/** KafkaSource: the records of topics, as a member of a group. */

import {
  Deferred,
  type LaneLag,
  onAbort,
  type Positioned,
  type Source,
  type SourceContext,
  StreamWeldError,
  untilAborted,
} from '@streamweld/core/connector';
import { KafkaError } from './errors.ts';
import { Membership } from './membership.ts';
import { openClient } from './client-kafkajs.ts';
import { isKafkaPosition, type KafkaPosition } from './position.ts';
import type { KafkaRecord } from './record.ts';
import { type CheckedSourceOptions, checkSourceOptions, type KafkaSourceOptions } from './source-options.ts';

/** How far a reader is behind, in one partition. */
export interface PartitionLag extends LaneLag {
  /** `<topic>/<partition>` */
  readonly lane: string;
  readonly topic: string;
  readonly partition: number;
  /** Of the next record that is handed out. */
  readonly offset: string;
  /** Of the next record that will be written, as the last fetch told. */
  readonly highWatermark: string;
  /** Records, control records and those that nobody sees included. */
  readonly lag: number;
}

type Answer = Positioned<KafkaRecord, KafkaPosition> | undefined;

/**
 * Records of topics. Sources with one `groupId` share the partitions; each partition is a lane, `<topic>/<partition>`, in the
 * order of its offsets. Offsets are committed when what lies before them is durable, and never earlier: after a crash records
 * come again, and none is lost. When partitions move to another member, what is in flight is written and committed first, as
 * far as that is done within `drainMs`; what is not comes again there, and here its results are dropped.
 *
 *     new KafkaSource({ brokers: 'localhost:9092', topics: ['orders'], groupId: 'billing' })
 */
export class KafkaSource implements Source<KafkaRecord, KafkaPosition> {
  readonly name: string;
  readonly #options: CheckedSourceOptions;
  #membership: Membership | undefined;
  #pull: { readonly demand: number; readonly answer: Deferred<Answer> } | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isStopped = false;
  #tellRun: (error: unknown) => void = () => {};
  #stopListening: (() => void) | undefined;

  constructor(options: KafkaSourceOptions) {
    this.#options = checkSourceOptions(options);
    this.name = this.#options.name;
  }

  async open(context: SourceContext<KafkaPosition>): Promise<void> {
    const { positions, signal } = context;
    this.#checkCommitter(context);
    // A run before may have ended it.
    this.#isStopped = false;
    this.#failure = undefined;
    const resumes = new Map<string, bigint>();
    for (const [lane, position] of positions) resumes.set(lane, this.#offsetOf(lane, position));
    this.#tellRun = (error) => context.fail(error);
    const membership = new Membership(openClient(this.#options), this.#options, resumes, {
      settled: (lane) => context.settled(lane),
      endLane: (lane) => context.endLane(lane),
      onMore: () => this.#serve(),
      onFail: (error) => this.#fail(error),
    });
    this.#membership = membership;
    this.#stopListening = onAbort(signal, () => this.stop());
    // A last commit may follow an abort: what was opened is left by `close`.
    await untilAborted(signal, membership.open());
  }

  pull(demand: number): Answer | Promise<Answer> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#isStopped) return undefined;
    const ready = this.#take(demand);
    if (ready !== undefined) return ready;
    const answer = new Deferred<Answer>();
    this.#pull = { demand, answer };
    return answer.promise;
  }

  #take(demand: number): Answer {
    const taken = this.#membership?.take(demand);
    if (taken === undefined) return undefined;
    const { queue, records, offset } = taken;
    return { items: records, lane: queue.lane, position: this.#positionOf(offset, queue.start) };
  }

  #positionOf(offset: string, start: bigint): KafkaPosition {
    return this.#options.commitBy === 'source'
      ? { offset, groupId: null }
      : { offset, groupId: this.#options.groupId, since: String(start) };
  }

  #serve(): void {
    const pull = this.#pull;
    if (pull === undefined) return;
    const ready = this.#take(pull.demand);
    if (ready !== undefined) this.#answer(ready);
  }

  #answer(answer: Answer): void {
    const pull = this.#pull;
    this.#pull = undefined;
    pull?.answer.resolve(answer);
  }

  #fail(error: unknown): void {
    if (this.#isStopped || this.#failure !== undefined) return;
    this.#failure = { error };
    const pull = this.#pull;
    this.#pull = undefined;
    if (pull === undefined) this.#tellRun(error);
    else pull.answer.reject(error);
  }

  async commit(positions: ReadonlyMap<string, KafkaPosition>): Promise<void> {
    await this.#membership?.commit(
      new Map([...positions].map(([lane, { offset }]) => [lane, BigInt(offset)])),
    );
  }

  comparePositions(a: KafkaPosition, b: KafkaPosition): number {
    const [first, second] = [this.#offsetOf('', a), this.#offsetOf('', b)];
    return first < second ? -1 : first > second ? 1 : 0;
  }

  /** How far it is behind, in each partition that it has. */
  lag(): PartitionLag[] {
    return (this.#membership?.queues ?? []).map(({ topic, partition, lane, handedOut, highWatermark }) => ({
      lane,
      topic,
      partition,
      offset: String(handedOut),
      highWatermark: String(highWatermark),
      lag: highWatermark > handedOut ? Number(highWatermark - handedOut) : 0,
    }));
  }

  stop(): void {
    this.#isStopped = true;
    this.#membership?.stop();
    this.#answer(undefined);
  }

  async close(): Promise<void> {
    this.stop();
    this.#stopListening?.();
    await this.#membership?.close();
  }

  /** Else nobody would commit, and each run would begin where the first did. */
  #checkCommitter({ checkpoint }: SourceContext<KafkaPosition>): void {
    if (this.#options.commitBy === 'source' || checkpoint !== undefined) return;
    throw new StreamWeldError(
      'SW_EXACTLY_ONCE_IMPOSSIBLE',
      `'${this.name}' leaves its offsets to the sink, and its run has no checkpoint: nobody would commit them. Give the run .checkpoint(store, name), and for exactly once a KafkaSink with a transactionalId; or leave commitBy out.`,
      { stage: this.name },
    );
  }

  #offsetOf(lane: string, position: unknown): bigint {
    if (isKafkaPosition(position)) return BigInt(position.offset);
    throw new KafkaError(
      'SW_KAFKA_POSITION_INVALID',
      `What is to be resumed from${lane === '' ? '' : `, in lane ${JSON.stringify(lane)},`} is no position of a KafkaSource. Is the checkpoint of another pipeline?`,
      { stage: this.name },
    );
  }
}
