/** Trying again, for as long as that may help: each try within a deadline, since any of them may hang for good. */

import { onAbort, runtime } from '@streamweld/core/connector';
import { DeadlinePassed, within } from './deadline.ts';
import { isTransient, KafkaError, type Translation, toKafkaError } from './errors.ts';

/** How long it is waited before something is tried again: doubled each time. */
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 1000;

/** Says when to stop trying, and is what ends the waiting in between. */
export class Patience {
  readonly #until: number;
  readonly signal: AbortSignal;
  #waitMs: number;

  constructor(ms: number, signal: AbortSignal, firstWaitMs: number = FIRST_WAIT_MS) {
    this.#until = runtime.now() + ms;
    this.signal = signal;
    this.#waitMs = firstWaitMs;
  }

  get leftMs(): number {
    return this.signal.aborted ? 0 : Math.max(0, this.#until - runtime.now());
  }

  /** Waits a little; answers whether there is time for another try. */
  async wait(): Promise<boolean> {
    const ms = this.#waitMs * (0.75 + runtime.random() / 2);
    this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_WAIT_MS);
    if (this.leftMs <= ms) return false;
    await new Promise<void>((resolve) => {
      const timer = runtime.setTimer(() => {
        forget();
        resolve();
      }, ms);
      const forget = onAbort(this.signal, () => {
        runtime.clearTimer(timer);
        resolve();
      });
    });
    return !this.signal.aborted;
  }
}

/** Tries until it succeeds, or cannot, or there is no time left. @throws StreamWeldError */
export async function attempt<T>(
  patience: Patience,
  translation: Translation,
  ask: () => Promise<T>,
): Promise<T> {
  const begun = runtime.now();
  for (let last: unknown; ; ) {
    try {
      return await within(Math.max(1, patience.leftMs), ask(), patience.signal);
    } catch (error) {
      // That the time is over says less than what was wrong before.
      if (error instanceof DeadlinePassed) throw last ?? timedOut(translation, runtime.now() - begun);
      const translated = toKafkaError(error, translation);
      if (!isTransient(translated) || !(await patience.wait())) throw translated;
      last = translated;
    }
  }
}

function timedOut({ action, stage, topic }: Translation, ms: number): KafkaError {
  return new KafkaError(
    'SW_KAFKA_TIMEOUT',
    `Could not ${action}: no answer came within ${Math.round(ms)} ms. Are the brokers running, and reachable from here?`,
    { stage, topic, isTransient: true },
  );
}
