/**
 * COPY … FROM STDIN, as `pg` knows a query: something that is submitted, and told what the server says.
 *
 *     Query ──► CopyInResponse ──► CopyData … ──► CopyDone ──► CommandComplete, ReadyForQuery
 *                                  CopyFail where the text could not be made
 *
 * A message is made when the one before it was handed to the system: the server reads it meanwhile; the first, while the
 * server takes up the statement.
 */

import { Deferred } from '@streamweld/core/connector';

/** What we use of the connection under a `pg.Client`. */
interface RawConnection {
  readonly stream: {
    readonly writable: boolean;
    write(chunk: Uint8Array, onWritten: () => void): unknown;
  };
  query(text: string): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

export class CopyIn {
  readonly #sql: string;
  readonly #ready = new Deferred<RawConnection>();
  readonly #done = new Deferred<number>();
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #rows = 0;

  constructor(sql: string) {
    this.#sql = sql;
  }

  /** Resolves to the number of rows that the server took. */
  async send(messages: Iterable<Uint8Array>): Promise<number> {
    try {
      for (const message of messages) {
        const { stream } = await this.#ready.promise;
        // The next message takes the place of this one.
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          stream.write(message, () => resolve());
        });
        // Then it may not have been handed on yet, and nothing must take its place.
        if (this.#failure !== undefined) break;
      }
      const connection = await this.#ready.promise;
      if (this.#failure === undefined) connection.endCopyFrom();
    } catch (error) {
      const connection = await this.#ready.promise.catch(() => undefined);
      if (this.#failure === undefined) connection?.sendCopyFail('a row could not be made');
      await this.#done.promise.catch(() => {});
      throw error;
    }
    return this.#done.promise;
  }

  // What follows is called by `pg`.

  submit(connection: RawConnection): void {
    connection.query(this.#sql);
  }

  /** `pg` puts its own function here, for its option query_timeout, and wants it called at the end. */
  callback: () => void = () => {};

  handleCopyInResponse(connection: RawConnection): void {
    this.#ready.resolve(connection);
  }

  handleCommandComplete(message: { readonly text?: string }): void {
    this.#rows = Number(/^COPY (\d+)/.exec(message.text ?? '')?.[1] ?? 0);
  }

  handleReadyForQuery(): void {
    this.callback();
    this.#done.resolve(this.#rows);
  }

  handleError(error: unknown): void {
    this.callback();
    this.#failure = { error };
    this.#ready.reject(error);
    this.#done.reject(error);
    this.#wake?.();
  }
}
