/** A KafkaSource that remembers what it handed out and what was committed: what comes twice has to be what was in flight. */

import type { SourceContext } from '@streamweld/core';
import { type KafkaPosition, parseLane } from '../src/position.ts';
import type { KafkaRecord } from '../src/record.ts';
import { KafkaSource } from '../src/source.ts';

/** What all members of a group have done together. */
export class GroupHistory {
  /** Up to where each lane is known to be committed: a commit was answered while the partition was still its member's. */
  readonly #committed = new Map<string, bigint>();
  /** Partitions that were taken from a member. */
  moved = 0;
  /** Records that were handed out although they had been committed before. */
  againThoughCommitted = 0;

  commit(lane: string, offset: bigint): void {
    if (offset > (this.#committed.get(lane) ?? 0n)) this.#committed.set(lane, offset);
  }

  handOut(records: readonly KafkaRecord[]): void {
    for (const { topic, partition, offset } of records)
      if (BigInt(offset) < (this.#committed.get(`${topic}/${partition}`) ?? 0n))
        this.againThoughCommitted += 1;
  }
}

type Answer = ReturnType<KafkaSource['pull']>;

export class WatchedSource extends KafkaSource {
  readonly #history: GroupHistory;
  /** How often each lane was lost. */
  readonly #losses = new Map<string, number>();

  constructor(options: ConstructorParameters<typeof KafkaSource>[0], history: GroupHistory) {
    super(options);
    this.#history = history;
  }

  override open(context: SourceContext<KafkaPosition>): Promise<void> {
    return super.open({
      ...context,
      settled: (lane) => context.settled(lane),
      fail: (error) => context.fail(error),
      endLane: (lane) => {
        this.#history.moved += 1;
        this.#losses.set(lane, (this.#losses.get(lane) ?? 0) + 1);
        context.endLane(lane);
      },
    });
  }

  override async pull(demand: number): Promise<Awaited<Answer>> {
    const answer = await super.pull(demand);
    if (answer !== undefined) this.#history.handOut(answer.items);
    return answer;
  }

  override async commit(positions: ReadonlyMap<string, KafkaPosition>): Promise<void> {
    const before = new Map([...positions.keys()].map((lane) => [lane, this.#losses.get(lane)]));
    await super.commit(positions);
    for (const [lane, { offset }] of positions)
      if (this.#losses.get(lane) === before.get(lane) && this.#has(lane))
        this.#history.commit(lane, BigInt(offset));
  }

  #has(lane: string): boolean {
    const place = parseLane(lane);
    return this.lag().some(
      ({ topic, partition }) => topic === place?.topic && partition === place?.partition,
    );
  }
}
