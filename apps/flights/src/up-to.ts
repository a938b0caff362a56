/** A topic has no end. This makes one: where it ended when somebody looked. */

import type { Positioned, Source, SourceContext } from '@streamweld/core';
import type { KafkaPosition, KafkaRecord, KafkaSource } from '@streamweld/kafka';

/** The records of a KafkaSource before an offset of each lane. A few that come after it may be among them. */
export class UpTo implements Source<KafkaRecord, KafkaPosition> {
  readonly name: string;
  readonly #source: KafkaSource;
  /** Lanes that are not at their end, with it. */
  readonly #open: Map<string, bigint>;

  /** @param begins where the source begins; a lane that is not in it begins at 0. */
  constructor(
    source: KafkaSource,
    ends: Readonly<Record<string, string>>,
    begins: Readonly<Record<string, string>>,
  ) {
    this.name = source.name;
    this.#source = source;
    const lanes = Object.entries(ends).map(([lane, end]) => [lane, BigInt(end)] as const);
    this.#open = new Map(lanes.filter(([lane, end]) => end > BigInt(begins[lane] ?? 0)));
  }

  open(context: SourceContext<KafkaPosition>): Promise<void> {
    return this.#source.open(context);
  }

  async pull(demand: number): Promise<Positioned<KafkaRecord, KafkaPosition> | undefined> {
    if (this.#open.size === 0) return undefined;
    const answer = await this.#source.pull(demand);
    if (answer?.lane === undefined) return answer;
    // What was aborted, and the ends of transactions, have offsets too: a position is behind them, no record is.
    if (BigInt(answer.position.offset) >= (this.#open.get(answer.lane) ?? 0n)) this.#open.delete(answer.lane);
    return answer;
  }

  commit(positions: ReadonlyMap<string, KafkaPosition>): Promise<void> {
    return this.#source.commit(positions);
  }

  stop(): void {
    this.#source.stop();
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}
