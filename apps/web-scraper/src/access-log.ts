/** The access log of a server, in the combined format that Apache and nginx write. */

import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';

/** What was answered. */
export interface Answered {
  readonly status: number;
  /** Of the body alone. */
  readonly bytes: number;
  /** When the request came. */
  readonly at: Date;
}

/** Lines are appended whole, in the order in which answers ended: whoever follows the file sees them at once. */
export class AccessLog {
  readonly #file: WriteStream;
  #failure: Error | undefined;

  private constructor(file: WriteStream) {
    this.#file = file;
    // A full disk is no reason to stop serving: `close` tells it.
    file.on('error', (error) => (this.#failure ??= error));
  }

  /** @throws what the system says where the file cannot be opened for appending */
  static async open(path: string): Promise<AccessLog> {
    const file = createWriteStream(path, { flags: 'a' });
    await once(file, 'open');
    return new AccessLog(file);
  }

  note(request: IncomingMessage, answered: Answered): void {
    if (this.#failure === undefined) this.#file.write(combinedLine(request, answered));
  }

  /** @throws what kept lines from being written */
  async close(): Promise<void> {
    if (this.#failure === undefined) {
      this.#file.end();
      await once(this.#file, 'close');
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** `127.0.0.1 - - [01/Dec/2026:12:54:39 +0000] "GET / HTTP/1.1" 200 512 "-" "agent"`, with its line end. */
function combinedLine(request: IncomingMessage, { status, bytes, at }: Answered): string {
  const { method, url, httpVersion, headers, socket } = request;
  const host = socket.remoteAddress ?? '-';
  const what = `${method} ${quoted(url)} HTTP/${httpVersion}`;
  const size = bytes === 0 ? '-' : bytes;
  return `${host} - - [${stamp(at)}] "${what}" ${status} ${size} "${quoted(headers.referer)}" "${quoted(headers['user-agent'])}"\n`;
}

/** As Apache does: what would end a field or a line is escaped, so each request is one line whatever was sent. */
function quoted(text: string | undefined): string {
  if (text === undefined || text === '') return '-';
  return text.replaceAll(/["\\]|[^ -~]/g, (letter) =>
    letter === '"' || letter === '\\'
      ? `\\${letter}`
      : `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** In UTC, so that the same request is the same line on every machine. */
function stamp(at: Date): string {
  const iso = at.toISOString();
  return `${iso.slice(8, 10)}/${MONTHS[at.getUTCMonth()]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
}
