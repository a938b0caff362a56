/** A transaction over `@platformatic/kafka`. Whoever is in one that failed begins another, with another producer. */

import type { KafkaTransaction, OutgoingBatch, PartitionOffset, SendFailure } from './client.ts';
import { Patience } from './patience.ts';
import type { Cluster } from './client-platformatic-cluster.ts';
import { isElsewhere, refusalOf } from './client-platformatic-errors.ts';
import type { Address } from './client-platformatic-wire.ts';
import { toKafkaError, type Translation } from './errors.ts';
import { laneOf } from './position.ts';

/** What the brokers call a producer. */
export interface Identity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export interface TransactionHost {
  readonly cluster: Cluster;
  readonly transactionalId: string;
  readonly signal: AbortSignal;
  translation(action: string): Translation;
  send(batches: readonly OutgoingBatch[], transaction: Transaction): Promise<readonly SendFailure[]>;
}

/** What a coordinator answers that was not able to do it yet, and has done nothing. */
const NOT_YET = new Set([
  'CONCURRENT_TRANSACTIONS',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);

/** The end of the transaction before is written within a few milliseconds, after it was answered. */
const SOON_MS = 5;

export class Transaction implements KafkaTransaction {
  readonly identity: Identity;
  readonly #host: TransactionHost;
  /** What the coordinator knows of. */
  readonly #added = new Set<string>();
  /** The coordinator may know of something: of nothing there is nothing to end. */
  #isBegun = false;

  constructor(host: TransactionHost, identity: Identity) {
    this.#host = host;
    this.identity = identity;
  }

  send(batches: readonly OutgoingBatch[]): Promise<readonly SendFailure[]> {
    return this.#host.send(batches, this);
  }

  /** Before anything is written to them. */
  async add(batches: readonly OutgoingBatch[]): Promise<void> {
    const added = batches.filter((batch) => !this.#added.has(laneOf(batch)));
    if (added.length === 0) return;
    const topics = [...new Set(added.map(({ topic }) => topic))].map((name) => ({
      name,
      partitions: added.filter(({ topic }) => topic === name).map(({ partition }) => partition),
    }));
    this.#isBegun = true;
    const { cluster, transactionalId } = this.#host;
    await this.#untilDone(() =>
      Transaction.coordinated(this.#host, (at) =>
        cluster.wire.ask(at, 'addPartitionsToTxnV3', [
          [{ transactionalId, ...this.identity, verifyOnly: false, topics }],
        ]),
      ),
    );
    for (const batch of added) this.#added.add(laneOf(batch));
  }

  async sendOffsets(groupId: string, offsets: readonly PartitionOffset[]): Promise<void> {
    const { cluster, transactionalId } = this.#host;
    const { producerId, producerEpoch } = this.identity;
    this.#isBegun = true;
    await this.#tell('put the offsets into a transaction', async () => {
      await Transaction.coordinated(this.#host, (at) =>
        cluster.wire.ask(at, 'addOffsetsToTxnV3', [transactionalId, producerId, producerEpoch, groupId]),
      );
      const coordinator = await cluster.coordinator('group', groupId);
      try {
        await cluster.wire.ask(coordinator, 'txnOffsetCommitV3', [
          transactionalId,
          groupId,
          producerId,
          producerEpoch,
          -1,
          '',
          null,
          toCommitting(offsets),
        ]);
      } catch (error) {
        if (isElsewhere(error)) cluster.forgetCoordinator('group', groupId);
        throw error;
      }
    });
  }

  commit(): Promise<void> {
    return this.#end('commit a transaction', true);
  }

  abort(): Promise<void> {
    return this.#end('abort a transaction', false);
  }

  async #end(action: string, isCommit: boolean): Promise<void> {
    if (!this.#isBegun) return;
    const { cluster, transactionalId } = this.#host;
    const { producerId, producerEpoch } = this.identity;
    await this.#tell(action, () =>
      Transaction.coordinated(this.#host, (at) =>
        cluster.wire.ask(at, 'endTxnV3', [transactionalId, producerId, producerEpoch, isCommit]),
      ),
    );
  }

  async #tell(action: string, ask: () => Promise<unknown>): Promise<void> {
    try {
      await this.#untilDone(ask);
    } catch (error) {
      throw toKafkaError(error, this.#host.translation(action));
    }
  }

  /** Again where the coordinator has said that it did nothing. Where nobody knows, it is not for the transaction to find out. */
  async #untilDone(ask: () => Promise<unknown>): Promise<void> {
    const { cluster, signal } = this.#host;
    const patience = new Patience(cluster.wire.options.requestTimeoutMs, signal, SOON_MS);
    for (;;) {
      try {
        await ask();
        return;
      } catch (error) {
        if (!NOT_YET.has(refusalOf(error) ?? '') || !(await patience.wait())) throw error;
      }
    }
  }

  /** Asks the broker that looks after the transactional id. */
  static async coordinated<R>(
    { cluster, transactionalId }: TransactionHost,
    ask: (at: Address) => Promise<R>,
  ): Promise<R> {
    try {
      return await ask(await cluster.coordinator('transaction', transactionalId));
    } catch (error) {
      if (isElsewhere(error)) cluster.forgetCoordinator('transaction', transactionalId);
      throw error;
    }
  }
}

export function toCommitting(offsets: readonly PartitionOffset[]): {
  name: string;
  partitions: {
    partitionIndex: number;
    committedOffset: bigint;
    committedLeaderEpoch: number;
    committedMetadata: string | null;
  }[];
}[] {
  return [...new Set(offsets.map(({ topic }) => topic))].map((name) => ({
    name,
    partitions: offsets
      .filter(({ topic }) => topic === name)
      .map(({ partition, offset }) => ({
        partitionIndex: partition,
        committedOffset: BigInt(offset),
        committedLeaderEpoch: -1,
        committedMetadata: null,
      })),
  }));
}
