/** The only file that knows the client: what is used of it, opening one or borrowing one, and closing what was opened. */

import { toTemplateNameError } from './errors.ts';
import { connect } from './memory-server.ts';
import type { TemplateNameOptions } from './options.ts';

/** What is used of a client. Any object that has these methods will do. */
export interface TemplateNameClient {
  /** Up to `max` items from `from` on; none at the end of the log. */
  read(log: string, from: number, max: number, signal: AbortSignal): Promise<readonly string[]>;
  /** How many items the log has. */
  count(log: string, signal: AbortSignal): Promise<number>;
  /**
   * Appends all of them and keeps the positions under the name, in one step; or does nothing of it.
   * @returns the indexes of items that the server does not take: none, where it has taken them all.
   */
  append(
    log: string,
    items: readonly string[],
    kept: KeptPositions,
    signal: AbortSignal,
  ): Promise<readonly number[]>;
  /** The positions that the log keeps under the name. */
  positions(log: string, name: string, signal: AbortSignal): Promise<ReadonlyMap<string, unknown>>;
  close(): Promise<void>;
}

/** Positions to be kept with items, and under which name; undefined where there are none to keep. */
export type KeptPositions =
  | { readonly name: string; readonly positions: ReadonlyMap<string, unknown> }
  | undefined;

/** A client for one run of a source or sink: its own, or a borrowed one. Its calls end with the run's signal. */
export class Session {
  readonly #client: TemplateNameClient;
  readonly #isOwn: boolean;
  readonly #stage: string;
  readonly #signal: AbortSignal;

  private constructor(client: TemplateNameClient, isOwn: boolean, stage: string, signal: AbortSignal) {
    this.#client = client;
    this.#isOwn = isOwn;
    this.#stage = stage;
    this.#signal = signal;
  }

  /** @throws StreamWeldError SW_TEMPLATE_NAME_UNREACHABLE, SW_TEMPLATE_NAME_DENIED; what the signal gives as its reason. */
  static async open(options: TemplateNameOptions, stage: string, signal: AbortSignal): Promise<Session> {
    const { client, connection } = options;
    if (client !== undefined) return new Session(client, false, stage, signal);
    try {
      const own = await connect(connection?.url ?? '', connection?.password, signal);
      return new Session(own, true, stage, signal);
    } catch (error) {
      throw toTemplateNameError(error, stage, 'connect', signal);
    }
  }

  /**
   * Asks the client for something.
   * @param action for the message where it fails: 'read from the log'
   * @param signal of this one question. Default: that of the run
   */
  async ask<T>(
    action: string,
    question: (client: TemplateNameClient, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal = this.#signal,
  ): Promise<T> {
    try {
      return await question(this.#client, signal);
    } catch (error) {
      throw toTemplateNameError(error, this.#stage, action, signal);
    }
  }

  async close(): Promise<void> {
    if (this.#isOwn) await this.#client.close();
  }
}
