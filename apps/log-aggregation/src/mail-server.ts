/** A mail server on loopback, which keeps what it accepts in a file: a line of JSON for each mail. */

import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

/** A line of the file. */
export interface KeptMail {
  readonly to: readonly string[];
  /** The message as it came, each byte a character (latin1). */
  readonly raw: string;
}

export class MailServer {
  readonly port: number;
  readonly #server: SMTPServer;
  readonly #file: number;

  private constructor(server: SMTPServer, port: number, file: number) {
    this.#server = server;
    this.port = port;
    this.#file = file;
  }

  /** @param mailbox the file that the mails go to: it begins anew. */
  static async start(mailbox: string): Promise<MailServer> {
    const file = openSync(mailbox, 'w', 0o600);
    const server = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      logger: false,
      // Nobody is looked up: it is this very machine.
      disableReverseLookup: true,
      onData(stream, { envelope }, callback) {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.once('end', () => {
          const to = envelope.rcptTo.map(({ address }) => address);
          const mail: KeptMail = { to, raw: Buffer.concat(chunks).toString('latin1') };
          try {
            // Accepted when it is there: whoever sent it never sends it again.
            writeSync(file, `${JSON.stringify(mail)}\n`);
          } catch (error) {
            return callback(Object.assign(new Error((error as Error).message), { responseCode: 451 }));
          }
          callback(null, 'Kept');
        });
      },
    });
    server.on('error', () => {
      // Of one connection: whoever has opened it sees it too.
    });
    const listening = server.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    return new MailServer(server, (listening.address() as AddressInfo).port, file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    closeSync(this.#file);
  }
}
