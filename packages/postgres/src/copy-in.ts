/**
 * COPY … FROM STDIN, as `pg` knows a query: something that is submitted, and told what the server says.
 *
 *     Query ──► CopyInResponse ──► CopyData … ──► CopyDone ──► CommandComplete, ReadyForQuery
 *                                  CopyFail where the text could not be made
 *
 * Text is made and handed to the socket piece by piece: the server reads one while the next is made.
 */

import { Deferred } from '@streamweld/core/connector';

const COPY_DATA = 0x64;
const HEAD = 5;

/** What we use of the connection under a `pg.Client`. */
interface RawConnection {
  readonly stream: {
    readonly writable: boolean;
    write(chunk: Uint8Array): boolean;
    once(event: 'drain', listener: () => void): unknown;
  };
  query(text: string): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

export class CopyIn {
  readonly #sql: string;
  readonly #ready = new Deferred();
  readonly #done = new Deferred<number>();
  #connection: RawConnection | undefined;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #rows = 0;

  constructor(sql: string) {
    this.#sql = sql;
  }

  /** Resolves to the number of rows that the server took. */
  async send(texts: Iterable<string>): Promise<number> {
    await this.#ready.promise;
    const connection = this.#connection as RawConnection;
    try {
      for (const text of texts) {
        if (this.#failure !== undefined) break;
        if (!connection.stream.write(copyData(text)) && connection.stream.writable) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
            connection.stream.once('drain', resolve);
          });
        }
      }
    } catch (error) {
      if (this.#failure === undefined) connection.sendCopyFail('a row could not be made');
      await this.#done.promise.catch(() => {});
      throw error;
    }
    if (this.#failure === undefined) connection.endCopyFrom();
    return this.#done.promise;
  }

  // What follows is called by `pg`.

  submit(connection: RawConnection): void {
    this.#connection = connection;
    connection.query(this.#sql);
  }

  /** `pg` puts its own function here, for its option query_timeout, and wants it called at the end. */
  callback: () => void = () => {};

  handleCopyInResponse(): void {
    this.#ready.resolve();
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

/** A message of the protocol: its letter, its length, and the text. */
function copyData(text: string): Uint8Array {
  // No character takes more than three bytes for each of its units.
  const message = Buffer.allocUnsafe(HEAD + text.length * 3);
  const length = message.write(text, HEAD, 'utf8');
  message[0] = COPY_DATA;
  message.writeInt32BE(length + 4, 1);
  return message.subarray(0, HEAD + length);
}
