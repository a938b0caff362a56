/** Which broker leads a partition, and which one looks after a group or a transaction: as it was last heard. */

import { BrokerRefusal } from './client-platformatic-errors.ts';
import type { Requests } from './client-platformatic-requests.ts';
import type { Address, Wire } from './client-platformatic-wire.ts';
import type { TopicPartition } from './client.ts';

interface Topic {
  /** Requests to fetch call it so. */
  readonly id: string;
  /** The leader of each partition; undefined where it has none now. */
  readonly leaders: ReadonlyMap<number, Address | undefined>;
}

const KIND = { group: 0, transaction: 1 } as const;

export class Cluster {
  readonly wire: Wire;
  readonly #topics = new Map<string, Topic>();
  /** Those of them that may be out of date. */
  readonly #stale = new Set<string>();
  readonly #refusals = new Map<string, BrokerRefusal>();
  readonly #coordinators = new Map<string, Address>();

  constructor(wire: Wire) {
    this.wire = wire;
  }

  /** Looks up what is there of these topics now, or of all. @returns their names */
  async look(topics: readonly string[] | null): Promise<readonly string[]> {
    const answer = await this.#ask(topics);
    const addresses = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    for (const address of addresses.values()) this.wire.hearOf(address);
    for (const { name, topicId, errorCode, partitions } of answer.topics) {
      if (typeof name !== 'string') continue;
      this.#topics.delete(name);
      this.#stale.delete(name);
      this.#refusals.delete(name);
      if (errorCode !== 0) this.#refusals.set(name, this.refusal(errorCode));
      else {
        const leaders = partitions.map(
          ({ partitionIndex, leaderId }) => [partitionIndex, addresses.get(leaderId)] as const,
        );
        this.#topics.set(name, { id: topicId, leaders: new Map(leaders) });
      }
    }
    return answer.topics.flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
  }

  /** Looks up those that are not known, or may be out of date: where nobody answers, what was known has to do. */
  async know(topics: Iterable<string>): Promise<void> {
    const wanted = [...new Set(topics)];
    const unknown = wanted.filter((topic) => !this.#topics.has(topic) || this.#stale.has(topic));
    if (unknown.length === 0) return;
    try {
      await this.look(unknown);
    } catch (error) {
      if (unknown.some((topic) => !this.#topics.has(topic))) throw error;
    }
  }

  /** What was said of them may be out of date. */
  doubt(topics: Iterable<string>): void {
    for (const topic of topics) this.#stale.add(topic);
  }

  /** @throws BrokerRefusal where there is no such topic, or it may not be seen */
  topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic !== undefined) return topic;
    throw this.#refusals.get(name) ?? new BrokerRefusal('UNKNOWN_TOPIC_OR_PARTITION', true);
  }

  /** @throws BrokerRefusal where there is none now */
  leader({ topic, partition }: TopicPartition): Address {
    const { leaders } = this.topic(topic);
    const leader = leaders.get(partition);
    if (leader !== undefined) return leader;
    throw new BrokerRefusal(
      leaders.has(partition) ? 'LEADER_NOT_AVAILABLE' : 'UNKNOWN_TOPIC_OR_PARTITION',
      true,
    );
  }

  async coordinator(kind: keyof typeof KIND, key: string): Promise<Address> {
    const known = this.#coordinators.get(`${kind} ${key}`);
    if (known !== undefined) return known;
    const { coordinators } = await this.wire.askAny('findCoordinatorV4', [KIND[kind], [key]]);
    const [found] = coordinators;
    if (found === undefined) throw new BrokerRefusal('COORDINATOR_NOT_AVAILABLE', true);
    const address = { host: found.host, port: found.port };
    this.#coordinators.set(`${kind} ${key}`, address);
    return address;
  }

  forgetCoordinator(kind: keyof typeof KIND, key: string): void {
    this.#coordinators.delete(`${kind} ${key}`);
  }

  refusal(errorCode: number): BrokerRefusal {
    return new BrokerRefusal(this.wire.options.module.protocolErrorsCodesById[errorCode] ?? 'UNKNOWN', false);
  }

  /** What is wrong with one topic says nothing of the others. */
  async #ask(topics: readonly string[] | null): Promise<Requests['metadataV12']['answer']> {
    try {
      return await this.wire.askAny('metadataV12', [topics, false]);
    } catch (error) {
      if (error instanceof BrokerRefusal && error.response !== undefined)
        return error.response as Requests['metadataV12']['answer'];
      throw error;
    }
  }
}
