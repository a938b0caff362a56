/** The cache where no Redis can be had: a small server in this process, and what speaks with it from the others. */

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { once } from 'node:events';
import type { AirportState } from './airport-state.ts';
import { type Cache, CacheUnavailable, type Replacement } from './cache.ts';

/** What is asked of it: one request for a whole batch, as that is what makes it quick. */
type Question =
  | { readonly read: readonly string[] }
  | { readonly replace: readonly Replacement[] }
  | { readonly readAll: true };

const ANSWER_MS = 5000;

export class HttpCache implements Cache {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async read(airports: readonly string[]): Promise<(AirportState | undefined)[]> {
    const states = await this.#ask<(AirportState | null)[]>({ read: airports });
    return states.map((state) => state ?? undefined);
  }

  replace(replacements: readonly Replacement[]): Promise<number> {
    return this.#ask<number>({ replace: replacements });
  }

  async readAll(): Promise<ReadonlyMap<string, AirportState>> {
    return new Map(await this.#ask<[string, AirportState][]>({ readAll: true }));
  }

  /** It ends with the run. */
  clear(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}

  async #ask<R>(question: Question): Promise<R> {
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        body: JSON.stringify(question),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return (await response.json()) as R;
    } catch (error) {
      const { cause, message } = error as Error;
      throw new CacheUnavailable(
        `The cache server does not do what it is asked: ${cause instanceof Error ? cause.message : message}.`,
      );
    }
  }
}

export interface HttpCacheServer extends AsyncDisposable {
  /** With a word in its path that nobody else knows: any page in a browser could send to a port of loopback. */
  readonly url: string;
}

/** @param word in the path of its URL. */
export async function serveCache(word: string): Promise<HttpCacheServer> {
  const states = new Map<string, AirportState>();
  const server = createServer((request, response) => {
    if (request.url !== `/${word}` || request.method !== 'POST') {
      response.writeHead(404).end();
      return;
    }
    answer(request, states).then(
      (text) => response.end(text),
      () => response.writeHead(400).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${word}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function answer(request: IncomingMessage, states: Map<string, AirportState>): Promise<string> {
  const question = (await json(request)) as Question;
  if ('read' in question) return JSON.stringify(question.read.map((airport) => states.get(airport) ?? null));
  if ('readAll' in question) return JSON.stringify([...states]);
  const fitting = question.replace.filter(({ airport, after }) => (states.get(airport)?.seq ?? 0) === after);
  for (const { airport, state } of fitting) states.set(airport, state);
  return String(fitting.length);
}
