/** A mail server on loopback, which keeps what it accepts in a file: a line of JSON for each mail. */

import { once } from 'node:events';
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

/** Whoever writes to somebody there for the first time is asked to come again, as servers do that wait spam out. */
const GREYLISTED = '@greylisted.example';
const MOST_BYTES = 1 << 20;

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

  /** @param mailbox the file that the mails go to; what is in it stays. */
  static async start(mailbox: string): Promise<MailServer> {
    const file = openWhole(mailbox);
    const known = new Set<string>();
    const server = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      size: MOST_BYTES,
      logger: false,
      // Nobody is looked up: it is this very machine.
      disableReverseLookup: true,
      onRcptTo({ address }, _session, callback) {
        const isNew = address.endsWith(GREYLISTED) && !known.has(address);
        known.add(address);
        callback(isNew ? replying(450, 'Greylisted, come again') : null);
      },
      onData(stream, { envelope }, callback) {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.once('end', () => {
          if (stream.sizeExceeded) return callback(replying(552, 'The mail is too large'));
          const to = envelope.rcptTo.map(({ address }) => address);
          try {
            // Accepted when it is there: whoever sent it never sends it again.
            keep(file, { to, raw: Buffer.concat(chunks).toString('latin1') });
          } catch (error) {
            return callback(replying(451, (error as Error).message));
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

function keep(file: number, mail: KeptMail): void {
  writeSync(file, `${JSON.stringify(mail)}\n`);
}

/** A kill may have torn the last line. That mail was not accepted yet: it is cut off, and comes again. */
function openWhole(mailbox: string): number {
  const file = openSync(mailbox, 'a+', 0o600);
  const whole = readFileSync(mailbox).lastIndexOf('\n') + 1;
  if (fstatSync(file).size > whole) ftruncateSync(file, whole);
  return file;
}

function replying(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
