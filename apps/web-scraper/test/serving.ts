/** A server on this machine that answers as a test says. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
/** A text is a page of HTML. */
export type Pages = Readonly<Record<string, string | Handler>>;

export interface Serving extends AsyncDisposable {
  /** `http://127.0.0.1:41234`, without a slash. */
  readonly origin: string;
  /** What was requested, in order. */
  readonly requests: readonly string[];
  /** When each came, of `performance.now`. */
  readonly times: readonly number[];
}

export async function serve(pages: Pages): Promise<Serving> {
  const requests: string[] = [];
  const times: number[] = [];
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    requests.push(url);
    times.push(performance.now());
    const page = pages[url];
    if (page === undefined) response.writeHead(404).end();
    else if (typeof page === 'string')
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
    else page(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    times,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A page with links. */
export function linking(...hrefs: readonly string[]): string {
  return `<!DOCTYPE html><title>links</title>${hrefs.map((href) => `<a href="${href}">x</a>`).join('\n')}`;
}

export function redirect(location: string, status = 302): Handler {
  return (_, response) => response.writeHead(status, { location }).end();
}

export function answer(
  body: string | Buffer,
  headers: Readonly<Record<string, string>>,
  status = 200,
): Handler {
  return (_, response) => response.writeHead(status, headers).end(body);
}
