/** What the operators of a flow send to the dead letter of its run. */

import type { Claim } from '../delivery/parcel.ts';
import { placeOf } from '../delivery/place.ts';
import type { StageLetters } from '../flow/stage.ts';
import { deadLetter, type DeadLetterBox, describeError } from '../policy/dead-letter.ts';

export interface FlowLettersHost {
  accepted(items: number): void;
  failed(error: unknown): void;
}

export class FlowLetters implements StageLetters {
  readonly #box: DeadLetterBox;
  readonly #host: FlowLettersHost;

  constructor(box: DeadLetterBox, host: FlowLettersHost) {
    this.#box = box;
    this.#host = host;
  }

  room(): Promise<void> | undefined {
    return this.#box.room();
  }

  put(item: unknown, error: unknown, stage: string, claim: Claim | undefined): void {
    claim?.retain(1);
    this.#box.put([deadLetter(item, describeError(error), stage, 1, placeOf(claim))], {
      accepted: () => this.#host.accepted(1),
      durable: () => claim?.settle(),
      failed: (failure) => {
        claim?.fail();
        this.#host.failed(failure);
      },
    });
  }
}
