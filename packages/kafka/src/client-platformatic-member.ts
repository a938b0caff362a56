/**
 * A member of a group, over requests of `@platformatic/kafka`: it joins, says that it lives, commits and leaves, each when it is
 * told to. What is refused is for its consumer to answer.
 */

import { runtime } from '@streamweld/core/connector';
import { assignPartitions } from './assigner.ts';
import type { ConsumerOptions, PartitionOffset, TopicPartition } from './client.ts';
import type { Cluster } from './client-platformatic-cluster.ts';
import { BrokerRefusal, isElsewhere, refusalOf } from './client-platformatic-errors.ts';
import type { Requests } from './client-platformatic-requests.ts';
import { toCommitting } from './client-platformatic-transaction.ts';
import type { Address, Line } from './client-platformatic-wire.ts';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  PROTOCOL_NAME,
  PROTOCOL_TYPE,
} from './group-protocol.ts';

/** How long a goodbye may take. */
const LEAVE_MS = 1000;

export class Member {
  readonly #cluster: Cluster;
  readonly #options: ConsumerOptions;
  #id: string;
  #isJoining = false;
  #hasLeft = false;
  #generation = -1;
  /** How many partitions each topic had when this member shared them out; undefined where another did. */
  #shared: ReadonlyMap<string, number> | undefined;
  #confirmedAt: number | undefined;

  constructor(cluster: Cluster, options: ConsumerOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#id = options.memberId ?? '';
  }

  get id(): string | undefined {
    return this.#id === '' ? undefined : this.#id;
  }

  get confirmedAt(): number | undefined {
    return this.#confirmedAt;
  }

  /** Whether the group shares itself out anew before it has begun: then it joins once more. */
  async join(topics: readonly string[]): Promise<readonly TopicPartition[]> {
    for (;;) {
      try {
        this.#isJoining = true;
        return await this.#join(topics);
      } catch (error) {
        const type = refusalOf(error);
        if (type === 'UNKNOWN_MEMBER_ID' && this.#id !== '') this.#id = '';
        else if (type === 'MEMBER_ID_REQUIRED')
          this.#id = (((error as BrokerRefusal).response ?? {}) as { memberId?: string }).memberId ?? '';
        else if (type !== 'REBALANCE_IN_PROGRESS' && type !== 'ILLEGAL_GENERATION') throw error;
      } finally {
        this.#isJoining = false;
      }
    }
  }

  async #join(topics: readonly string[]): Promise<readonly TopicPartition[]> {
    const { groupId, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const { requestTimeoutMs } = this.#cluster.wire.options;
    // The group waits for its members, and so does the answer.
    const ms = rebalanceTimeoutMs + requestTimeoutMs;
    const joined = await this.#ask(
      'joinGroupV7',
      [
        groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        this.#id,
        null,
        PROTOCOL_TYPE,
        [{ name: PROTOCOL_NAME, metadata: encodeSubscription(topics) }],
        '',
      ],
      ms,
    );
    const begun = runtime.now();
    this.#id = joined.memberId ?? this.#id;
    this.#generation = joined.generationId;
    const shares = joined.leader === this.#id ? await this.#share(joined.members) : [];
    if (joined.leader !== this.#id) this.#shared = undefined;
    const { assignment } = await this.#ask(
      'syncGroupV5',
      [groupId, this.#generation, this.#id, null, PROTOCOL_TYPE, PROTOCOL_NAME, shares],
      ms,
    );
    this.#confirmedAt = begun;
    return decodeAssignment(assignment);
  }

  /** As the leader of the group. */
  async #share(
    members: Requests['joinGroupV7']['answer']['members'],
  ): Promise<{ readonly memberId: string; readonly assignment: Buffer }[]> {
    const subscribers = members.map(({ memberId, metadata }) => ({
      id: memberId,
      topics: new Set(decodeSubscription(metadata)),
    }));
    // Who leads may not have subscribed to all that the others have.
    const topics = [...new Set(subscribers.flatMap((each) => [...each.topics]))];
    await this.#cluster.look(topics);
    this.#shared = new Map(topics.map((topic) => [topic, this.#partitions(topic).length]));
    const shares = assignPartitions(subscribers, (topic) => this.#partitions(topic));
    return [...shares].map(([memberId, share]) => ({ memberId, assignment: encodeAssignment(share) }));
  }

  #partitions(topic: string): readonly number[] {
    try {
      return [...this.#cluster.topic(topic).leaders.keys()];
    } catch {
      // It is not there any more: then it has none.
      return [];
    }
  }

  /** Whether the topics that it has shared out have other partitions now. */
  async isOutdated(): Promise<boolean> {
    const shared = this.#shared;
    if (shared === undefined) return false;
    await this.#cluster.look([...shared.keys()]);
    return [...shared].some(([topic, count]) => this.#partitions(topic).length !== count);
  }

  /** @throws BrokerRefusal REBALANCE_IN_PROGRESS and others; a member that has to join again lives all the same */
  async heartbeat(ms: number): Promise<void> {
    const begun = runtime.now();
    try {
      await this.#ask('heartbeatV4', [this.#options.groupId, this.#generation, this.#id, null], ms);
      this.#confirmedAt = begun;
    } catch (error) {
      if (refusalOf(error) === 'REBALANCE_IN_PROGRESS') this.#confirmedAt = begun;
      throw error;
    }
  }

  async commit(offsets: readonly PartitionOffset[]): Promise<void> {
    await this.#ask('offsetCommitV8', [
      this.#options.groupId,
      this.#generation,
      this.#id,
      null,
      toCommitting(offsets),
    ]);
  }

  /** Never fails. */
  async leave(): Promise<void> {
    if (this.#hasLeft || this.#id === '') return;
    this.#hasLeft = true;
    try {
      // While it joins, the broker hears nothing more over the connection by which it has asked.
      const line = this.#isJoining ? 'leave' : 'main';
      await this.#ask('leaveGroupV4', [this.#options.groupId, [{ memberId: this.#id }]], LEAVE_MS, line);
    } catch {
      // The group finds out when its session has timed out.
    }
  }

  async #ask<N extends 'joinGroupV7' | 'syncGroupV5' | 'heartbeatV4' | 'offsetCommitV8' | 'leaveGroupV4'>(
    name: N,
    args: Requests[N]['args'],
    ms?: number,
    line?: Line,
  ): Promise<Requests[N]['answer']> {
    const { groupId } = this.#options;
    let at: Address | undefined;
    try {
      at = await this.#cluster.coordinator('group', groupId);
      return await this.#cluster.wire.ask(at, name, args, { ms, line });
    } catch (error) {
      if (isElsewhere(error)) this.#cluster.forgetCoordinator('group', groupId);
      throw error;
    }
  }
}
