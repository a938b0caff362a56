/**
 * The end of a dispatcher, in two parts, as that of a run: what is outstanding may end, and everything is closed. Where it
 * is abandoned each part has its time, and who does not end within it is named and left behind.
 */

import { suppress } from '../errors.ts';
import type { Awaitable } from '../source.ts';
import { DeadlineGuard, GivenUp } from '../task/deadline-guard.ts';

export class CloseGuard {
  readonly #writes = new DeadlineGuard();
  readonly #closings = new DeadlineGuard();
  readonly #stuck: string[] = [];
  #closeMs: number | undefined;
  #failure: { error: unknown } | undefined;

  /** From now on, what is outstanding has `closeMs`, and from when that is over the closing as long again. */
  begin(closeMs: number): void {
    this.#closeMs = closeMs;
    this.#writes.setDeadline(closeMs);
  }

  /** What was outstanding is over, or left behind. */
  beginClosing(): void {
    if (this.#closeMs !== undefined) this.#closings.setDeadline(this.#closeMs);
  }

  /** Answers whether it has ended, and was not left behind. */
  async outstanding(what: string, call: () => Awaitable<void>): Promise<boolean> {
    try {
      await this.#writes.wait(what, call);
      return true;
    } catch (error) {
      this.#note(error);
      return false;
    }
  }

  async closing(what: string, call: () => Awaitable<unknown>): Promise<void> {
    try {
      await this.#closings.wait(what, call);
    } catch (error) {
      this.#note(error);
    }
  }

  /** @throws what failed first; GivenUp, which holds that too, when somebody was left behind. */
  end(): void {
    this.#writes.clear();
    this.#closings.clear();
    if (this.#stuck.length > 0) throw new GivenUp(this.#stuck.join(', '), this.#failure);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #note(error: unknown): void {
    if (error instanceof GivenUp) {
      this.#stuck.push(error.what);
      if (error.failure !== undefined) this.#note(error.failure.error);
    } else if (this.#failure === undefined) {
      this.#failure = { error };
    } else {
      suppress(this.#failure.error, error);
    }
  }
}
