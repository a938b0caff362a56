/** Where others ask: Prometheus for the counters, anybody for entries. On loopback alone. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from './metrics.ts';
import { Refusal } from '@streamweld/app-kit';
import type { SearchIndex } from './search.ts';
import { wordsIn } from './words.ts';

const MOST_HITS = 1000;
const TEXT = 'text/plain; charset=utf-8';

export class Door {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @param port 0 for one that is free. @throws Refusal LOGS_PORT_TAKEN */
  static async open(port: number, metrics: Metrics, index: SearchIndex): Promise<Door> {
    const server = createServer((request, response) => {
      answer(request, response, metrics, index).catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        if (!response.headersSent) send(response, 500, TEXT, `It cannot be answered: ${why}\n`);
        else response.destroy();
      });
    });
    server.listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      const why = code === 'EADDRINUSE' ? 'is taken by another process' : `cannot be had (${code})`;
      throw new Refusal(
        'LOGS_PORT_TAKEN',
        `Port ${port} of 127.0.0.1 ${why}. Give another one by --port, or leave it out for one that is free.`,
        { cause: error },
      );
    }
    return new Door(server);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

async function answer(
  { method, url = '/', headers }: IncomingMessage,
  response: ServerResponse,
  metrics: Metrics,
  index: SearchIndex,
): Promise<void> {
  // A page of another site that has its own name lead here is not let in.
  if (!/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(headers.host ?? ''))
    return send(response, 403, TEXT, 'Only by the name of this machine.\n');
  if (method !== 'GET') return send(response, 405, TEXT, 'Only GET.\n');
  const { pathname, searchParams } = new URL(url, 'http://127.0.0.1');
  if (pathname === '/metrics') {
    const { type, text } = await metrics.exposition();
    return send(response, 200, type, text);
  }
  if (pathname === '/search') {
    const limit = Number(searchParams.get('limit') ?? 20);
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST_HITS)
      return send(response, 400, TEXT, `limit: expected a whole number from 1 to ${MOST_HITS}.\n`);
    const words = wordsIn(searchParams.get('q') ?? '');
    if (words.length === 0) return send(response, 400, TEXT, 'q: expected words, of letters and digits.\n');
    return send(response, 200, 'application/json', JSON.stringify(await index.find(words, limit)));
  }
  const isRoot = pathname === '/';
  send(
    response,
    isRoot ? 200 : 404,
    TEXT,
    `${isRoot ? '' : 'There is nothing. '}/metrics, /search?q=words\n`,
  );
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' }).end(body);
}
