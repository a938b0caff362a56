/** The live view: a page on this machine with the airports as they are now. */

import { createServer, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Sink } from '@streamweld/core';
import { type AirportState, advance } from './airport-state.ts';
import { PAGE, PAGE_SCRIPT, PAGE_STYLE } from './board-page.ts';
import type { EnrichedDeparture } from './enrich.ts';
import type { Did } from './pipeline.ts';

/** How often a page that is open hears of what is new. */
const TELL_EVERY_MS = 250;

/** As the page is told of it. */
export type Row = readonly [airport: string, name: string, state: AirportState];

export class Board implements AsyncDisposable {
  readonly #states = new Map<string, { readonly name: string; readonly state: AirportState }>();
  /** Airports that the open pages have not heard of. */
  readonly #changed = new Set<string>();
  readonly #pages = new Set<ServerResponse>();
  readonly #server = createServer((request, response) => {
    // A page of another site that leads a name of its own here is not answered.
    if (request.headers.host !== new URL(this.url).host) {
      response.writeHead(403).end();
      return;
    }
    this.#answer(request.url ?? '', response);
  });
  readonly #timer = setInterval(() => this.#tell(), TELL_EVERY_MS);

  /** @returns it, when it listens on a free port of loopback. */
  static async open(): Promise<Board> {
    const board = new Board();
    board.#server.listen(0, '127.0.0.1');
    await once(board.#server, 'listening');
    return board;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  sink(did: Did): Sink<EnrichedDeparture> {
    return {
      name: 'board',
      concurrency: 1,
      batching: { maxItems: 500 },
      write: (batch) => {
        for (const departure of batch) {
          const { airport, airportName: name } = departure;
          this.#states.set(airport, { name, state: advance(this.#states.get(airport)?.state, departure) });
          this.#changed.add(airport);
        }
        return did(batch);
      },
    };
  }

  #answer(path: string, response: ServerResponse): void {
    const send = (type: string, text: string): void => {
      response.writeHead(200, {
        'content-type': `${type}; charset=utf-8`,
        'content-security-policy':
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
        'x-content-type-options': 'nosniff',
      });
      response.end(text);
    };
    if (path === '/') send('text/html', PAGE);
    else if (path === '/board.js') send('text/javascript', PAGE_SCRIPT);
    else if (path === '/board.css') send('text/css', PAGE_STYLE);
    else if (path === '/states')
      send('application/json', JSON.stringify(this.#rows([...this.#states.keys()])));
    else if (path === '/changes') this.#follow(response);
    else response.writeHead(404).end();
  }

  /** All there is, and then what changes. */
  #follow(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(eventOf(this.#rows([...this.#states.keys()])));
    this.#pages.add(response);
    response.once('close', () => this.#pages.delete(response));
  }

  #tell(): void {
    if (this.#changed.size === 0) return;
    const event = eventOf(this.#rows([...this.#changed]));
    this.#changed.clear();
    // A page that reads too slowly misses some, and holds nothing up.
    for (const page of this.#pages) if (!page.writableNeedDrain) page.write(event);
  }

  #rows(airports: readonly string[]): Row[] {
    return airports.flatMap((airport) => {
      const found = this.#states.get(airport);
      return found === undefined ? [] : [[airport, found.name, found.state] as const];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#tell();
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const page of this.#pages) page.end();
    this.#server.closeAllConnections();
    await closed;
  }
}

function eventOf(rows: readonly Row[]): string {
  return `data: ${JSON.stringify(rows)}\n\n`;
}
