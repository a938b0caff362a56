/**
 * The dead-letter sinks of a dispatcher. Several subscriptions may name the same one: it is opened with the first of them,
 * flushed after all sinks, and closed with the dispatcher.
 */

import { toSink } from '../flow/to-sink.ts';
import { type DeadLetter, DeadLetterBox } from '../policy/dead-letter.ts';
import type { SinkContext, SinkLike } from '../sink.ts';
import type { CloseGuard } from './close-guard.ts';

export class DeadLetters {
  readonly #boxes = new Map<unknown, DeadLetterBox>();
  readonly #opening = new Map<DeadLetterBox, Promise<void>>();

  /** @throws StreamWeldError SW_SINK_INVALID, OptionError */
  boxFor<T>(sink: SinkLike<DeadLetter<T>> | undefined): DeadLetterBox | undefined {
    if (sink === undefined) return undefined;
    let box = this.#boxes.get(sink);
    if (box === undefined) {
      box = new DeadLetterBox(toSink(sink as SinkLike<DeadLetter>));
      this.#boxes.set(sink, box);
    }
    return box;
  }

  async open(box: DeadLetterBox | undefined, context: SinkContext): Promise<void> {
    if (box === undefined) return;
    let opening = this.#opening.get(box);
    if (opening === undefined) {
      opening = box.open(context);
      this.#opening.set(box, opening);
    }
    await opening;
  }

  /** Everything that was put in becomes durable, within so long where a sink has no flush. */
  async flush(patienceMs: number): Promise<void> {
    await Promise.all([...this.#opening.keys()].map((box) => box.flush(patienceMs)));
  }

  async close(reason: unknown, guard: CloseGuard): Promise<void> {
    const closings = [...this.#opening.keys()].map(async (box) => {
      await guard.outstanding(`writing to '${box.name}'`, () =>
        reason === undefined ? box.idle() : box.halt(),
      );
      await guard.closing(`closing the dead-letter sink '${box.name}'`, () => box.close(reason));
    });
    await Promise.all(closings);
  }
}
