/** What a run does where its sink keeps the positions itself, in one step with the items. */

import type { BatchChannel } from '../channel/batch-channel.ts';
import { Caution } from '../delivery/caution.ts';
import type { LaneBook } from '../delivery/lane.ts';
import type { Parcel } from '../delivery/parcel.ts';
import { endedShare, Holdings, WholeBatches } from '../delivery/whole.ts';
import { StreamWeldError } from '../errors.ts';
import type { FlowRun } from '../flow/stage.ts';
import type { Sink } from '../sink.ts';
import { WholeIntake } from '../task/whole-intake.ts';

export interface ExactlyOnceOptions<T> {
  readonly sink: Sink<T>;
  readonly sinkName: string;
  readonly flow: FlowRun;
  readonly channel: BatchChannel<Parcel<T>>;
  readonly hasFailed: () => boolean;
  /** Letters that are not durable: a batch is not whole before they are. */
  readonly letters: () => number;
  readonly onFail: (error: StreamWeldError) => void;
}

type Positions = ReadonlyMap<string, unknown>;

export class ExactlyOnce<T> {
  readonly intake: WholeIntake<T>;
  readonly #options: ExactlyOnceOptions<T>;
  readonly #books: readonly LaneBook[];
  #caution: Caution | undefined;
  #resumedFrom: Positions = new Map();
  /** Where the writes that the sink has accepted bring the source. */
  readonly #kept = new Map<string, unknown>();

  constructor(options: ExactlyOnceOptions<T>) {
    this.#options = options;
    this.#books = options.flow.sources.map(({ lanes }) => lanes);
    const batches = new WholeBatches();
    this.intake = new WholeIntake<T>({
      channel: options.channel,
      choose: (pending) => batches.choose(pending),
      holdings: new Holdings(),
      mayForsake: () => this.#books.some(({ hasEnded }) => hasEnded),
      isForsaken: (parcel) => this.#isForsaken(parcel),
      onStuck: (items) => this.#outgrown(items),
      hasLost: options.hasFailed,
    });
  }

  /** Whether source batches are to be kept apart: some place behind the sink has what another has not. */
  get isCautious(): boolean {
    return this.#caution?.isNeeded === true;
  }

  /** @throws StreamWeldError SW_EXACTLY_ONCE_IMPOSSIBLE for a flow that does not keep order. */
  checkOrder(): void {
    const { flow, sinkName } = this.#options;
    const unordered = flow.stages.find((stage) => !stage.isOrdered);
    if (unordered === undefined) return;
    throw new StreamWeldError(
      'SW_EXACTLY_ONCE_IMPOSSIBLE',
      `The sink '${sinkName}' keeps positions, and '${unordered.name}' does not keep the order of the source: a position would promise items that come later. Leave out ordered: false.`,
      { stage: unordered.name },
    );
  }

  /** @see SinkContext.comparePositions */
  readonly comparePositions = (label: string, a: unknown, b: unknown): number => {
    const { flow, sinkName } = this.#options;
    const stage = flow.sources.find(({ lanes }) => label.startsWith(lanes.prefix));
    if (stage?.source.comparePositions !== undefined) return stage.source.comparePositions(a, b);
    throw new StreamWeldError(
      'SW_EXACTLY_ONCE_IMPOSSIBLE',
      `Sinks behind '${sinkName}' hold different positions of the lane '${label}', and ${stage === undefined ? 'no source of this pipeline has that lane' : `the source '${stage.name}' has no comparePositions to tell which is the later`}. Give the source one, or bring the sinks to the same position.`,
      { stage: stage?.name ?? sinkName },
    );
  };

  /** @param held what the sink has. @param saved what the store has. */
  resumeFrom(held: Positions, saved: Positions): Positions {
    this.#takeCare();
    // Where some place behind the sink is ahead, another has nothing: it is not to begin where a store once stood.
    this.#resumedFrom = held.size === 0 && this.#caution === undefined ? saved : held;
    return this.#resumedFrom;
  }

  readonly kept = (positions: Positions): void => {
    for (const [lane, position] of positions) this.#kept.set(lane, position);
  };

  /** Where the sink stands in a lane, if this run brought it anything. */
  keptAt(label: string): unknown {
    return this.#kept.get(label);
  }

  /** Of these positions, those that no write has brought to the sink. */
  notKept(positions: Positions): Positions {
    return new Map(
      [...positions].filter(([lane, position]) => {
        const kept = this.#kept.has(lane) ? this.#kept.get(lane) : this.#resumedFrom.get(lane);
        return !Object.is(position, kept);
      }),
    );
  }

  /** What some place behind the sink has, and another has not, is not to be in one write. */
  #takeCare(): void {
    const ahead = this.#options.sink.ahead?.();
    if (ahead === undefined || ahead.size === 0) return;
    const atSource = new Caution(ahead, this.comparePositions);
    for (const source of this.#options.flow.sources) source.caution = atSource;
    // What is on its way is kept apart until the last of it has come through.
    this.#caution = new Caution(ahead, this.comparePositions);
    this.intake.caution = this.#caution;
  }

  /** Whether the source has given up the lanes of all that is in it. */
  #isForsaken(parcel: Parcel<T>): boolean {
    const share = endedShare(parcel);
    if (share === 'some') {
      this.#options.onFail(
        new StreamWeldError(
          'SW_EXACTLY_ONCE_IMPOSSIBLE',
          `The source gave a lane up of which the flow has joined items with those of another lane: they cannot be written with a position, nor left out. Leave batch() out: for the size of writes there is Sink.batching.`,
          { stage: this.#options.sinkName },
        ),
      );
    }
    return share === 'all';
  }

  #outgrown(items: number): void {
    // A batch is whole when its letters are durable: that makes room, or tells again that there is none.
    if (this.#options.letters() > 0) return;
    this.#options.onFail(
      new StreamWeldError(
        'SW_BATCH_TOO_LARGE',
        `A source batch has to be written whole, and ${items} items of it fill the buffer without its end. Raise bufferSize, or let the source answer less at once.`,
        { stage: this.#options.sinkName },
      ),
    );
  }
}
