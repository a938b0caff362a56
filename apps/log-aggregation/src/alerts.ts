/** The sink that tells somebody: a mail for each alert, by SMTP. */

import type { Sink } from '@streamweld/core';
import { createTransport } from 'nodemailer';
import type { Entry } from './entry.ts';
import { type Alert, Watch } from './watch.ts';

const HOST = 'alerts.example';

export class Alerts implements Sink<Entry> {
  readonly name = 'alerts';
  readonly concurrency = 1;
  readonly #watch = new Watch();
  readonly #say: (line: string) => void;
  readonly #transport;
  /** What was raised and nobody was told yet: it waits for the next try. */
  readonly #untold: Alert[] = [];

  /** @param port of a mail server on this machine. @param say is told too */
  constructor(port: number, say: (line: string) => void) {
    this.#say = say;
    // It is this very machine.
    this.#transport = createTransport({ pool: true, host: '127.0.0.1', port, ignoreTLS: true });
  }

  async write(batch: readonly Entry[]): Promise<void> {
    for (const entry of batch) this.#untold.push(...this.#watch.see(entry));
    for (let alert = this.#untold[0]; alert !== undefined; alert = this.#untold[0]) {
      await this.#tell(alert);
      this.#untold.shift();
    }
  }

  async #tell(alert: Alert): Promise<void> {
    const { id, rule, service, text, entry } = alert;
    await this.#transport.sendMail({
      // The same if it is sent again after an answer was lost.
      messageId: `<${encodeURIComponent(id)}@${HOST}>`,
      from: { name: 'Logs', address: `logs@${HOST}` },
      to: `on-call@${HOST}`,
      subject: `${service}: ${text}`,
      text: `Rule ${rule}, log ${entry.log}, line ${entry.line}:\n\n${entry.raw.slice(0, 1000)}\n`,
    });
    this.#say(`Alert · ${service}: ${text} (${entry.id})`);
  }

  close(): void {
    this.#transport.close();
  }
}

/** Which alert a mail is about. */
export function alertOf(messageId: string): string {
  return decodeURIComponent(messageId.slice(1, messageId.lastIndexOf('@')));
}
