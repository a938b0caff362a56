/** What is seen of the server beside the connection that its log comes on: now and then, by a session of the pool. */

import { runtime } from '@streamweld/core/connector';
import type { CheckedChangeOptions } from './change-options.ts';
import type { Session, Sessions } from './client.ts';
import type { PostgresError } from './errors.ts';
import { readSlot, slotBehind } from './slot.ts';

/** How often it is looked how far the slot is behind, in milliseconds. */
const LOOK_MS = 60_000;

/** How often it is asked, while nothing is read, whether the server is being shut down, in milliseconds. */
const PAUSED_MS = 2000;

/** `the database system is shutting down`. */
const STOPPING = '57P03';

export class SlotWatch {
  readonly #sessions: Sessions;
  readonly #options: CheckedChangeOptions;
  readonly #onStopping: () => void;
  readonly #timers = new Set<unknown>();
  #isPaused = false;
  #isAsking = false;
  #isEnded = false;

  /** @param onStopping called when the server is being shut down while nothing is read. */
  constructor(sessions: Sessions, options: CheckedChangeOptions, onStopping: () => void) {
    this.#sessions = sessions;
    this.#options = options;
    this.#onStopping = onStopping;
  }

  /** Looks how far the slot is behind, from now on. */
  begin(): void {
    const { slot, name, maxBehindBytes, onNotice } = this.#options;
    this.#after(
      LOOK_MS,
      async (session) => {
        const state = await readSlot(session, slot, name);
        if (state !== undefined && state.behindBytes > maxBehindBytes)
          onNotice(slotBehind(slot, state.behindBytes, name));
      },
      // It is only a look: what is wrong with the connection is told by the one that reads.
      () => this.begin(),
    );
  }

  /** Who reads nothing does not hear that the server is being shut down, and it would wait for ever. */
  pause(): void {
    this.#isPaused = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#after(
      PAUSED_MS,
      (session) => session.query('select 1'),
      (error) => {
        this.#isAsking = false;
        if (!this.#isPaused) return;
        if ((error as Partial<PostgresError> | undefined)?.sqlState === STOPPING) this.#onStopping();
        else this.pause();
      },
    );
  }

  resume(): void {
    this.#isPaused = false;
  }

  end(): void {
    this.#isEnded = true;
    for (const timer of this.#timers) runtime.clearTimer(timer);
    this.#timers.clear();
  }

  #after(ms: number, look: (session: Session) => Promise<unknown>, then: (error?: unknown) => void): void {
    if (this.#isEnded) return;
    const timer = runtime.setTimer(() => {
      this.#timers.delete(timer);
      this.#sessions.lend('look at the slot', look).then(() => then(), then);
    }, ms);
    this.#timers.add(timer);
  }
}
