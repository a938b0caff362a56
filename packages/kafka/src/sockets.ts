/**
 * The connections of one client: whoever gives the client up cuts them, and it makes no more. The client alone would wait
 * for whatever is outstanding, for as long as a broker says nothing.
 */

import net from 'node:net';
import tls from 'node:tls';
import type { ISocketFactory } from 'kafkajs';

/** Idle connections say so often that they live, in milliseconds. */
const KEEP_ALIVE_MS = 60_000;

export class Sockets {
  readonly #open = new Set<net.Socket>();
  #isCut = false;

  readonly create: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (this.#isCut) throw new Error('Not connected: the client was given up.');
    // `ssl` is true where all is left to Node.
    const socket =
      ssl === undefined || ssl === null
        ? net.connect({ host, port }, onConnect)
        : tls.connect(
            { host, port, ...(net.isIP(host) === 0 ? { servername: host } : undefined), ...(ssl as object) },
            onConnect,
          );
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    return socket;
  };

  cut(): void {
    this.#isCut = true;
    // With an error: without one the client would not notice, and go on waiting.
    for (const socket of this.#open) socket.destroy(new Error('Not connected: the client was given up.'));
  }
}
