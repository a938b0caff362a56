/**
 * npm's manual as a site on this machine, which keeps an access log.
 *
 *     /                      what is there, as servers list a folder: links to the folders, and to the status
 *     /commands/             what is in the folder
 *     /commands/npm-ls.html  a page of the manual
 *     /robots.txt            asks robots to leave the status alone
 *     /server-status         how many requests there were
 */

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { AccessLog } from './access-log.ts';
import { MANUAL_FOLDER, manualPages } from './manual.ts';

export interface ManualSiteOptions {
  /** The path of a file. Each request adds a line in the combined format. */
  readonly accessLog: string;
  /** Every n-th request is answered with 503, as by a server under load. Default: none is. */
  readonly failEvery?: number | undefined;
  /** How often the manual is there, below `/1/`, `/2/` and so on: a larger site of the same pages. Default: once, at the top. */
  readonly copies?: number | undefined;
  /** Of 127.0.0.1. Default: one that is free. */
  readonly port?: number | undefined;
}

interface Reply {
  readonly status: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** What robots are asked not to request. It is linked, so a robot that does not ask first goes there. */
export const DISALLOWED = '/server-status';

const HTML = 'text/html; charset=utf-8';
const TEXT = 'text/plain; charset=utf-8';

export class ManualSite {
  /** `http://127.0.0.1:41234/`: from it every page of the manual is reached. */
  readonly url: string;
  readonly #server: Server;
  readonly #log: AccessLog;
  readonly #pages = new Set(manualPages());
  readonly #folders = new Set(['', ...[...this.#pages].map((page) => page.slice(0, page.indexOf('/') + 1))]);
  readonly #failEvery: number;
  /** What stands before the paths of the manual: nothing, or the number of a copy. */
  readonly #roots: readonly string[];
  #requests = 0;
  #closed: Promise<void> | undefined;

  private constructor(server: Server, log: AccessLog, failEvery: number, copies: number) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    this.#server = server;
    this.#log = log;
    this.#failEvery = failEvery;
    this.#roots = copies === 1 ? [''] : Array.from({ length: copies }, (_, at) => `${at + 1}/`);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      // What is there cannot be read: the one that asked is let go, and others are served.
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  /** @throws what the system says where the log cannot be written, or the port is taken */
  static async start({ accessLog, failEvery, copies = 1, port = 0 }: ManualSiteOptions): Promise<ManualSite> {
    const log = await AccessLog.open(accessLog);
    const server = createServer();
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    } catch (error) {
      await log.close();
      throw error;
    }
    return new ManualSite(server, log, failEvery ?? Number.POSITIVE_INFINITY, copies);
  }

  /** Requests that are under way are cut off; all that were answered are in the log. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    await this.#log.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = new Date();
    this.#requests += 1;
    const { status, type, headers, body = '' } = await this.#reply(request);
    const bytes = request.method === 'HEAD' ? 0 : Buffer.byteLength(body);
    // Before the answer is sent: whoever has it finds its line.
    this.#log.note(request, { status, bytes, at });
    response.writeHead(status, {
      ...(type === undefined ? {} : { 'content-type': type }),
      'content-length': Buffer.byteLength(body),
      ...headers,
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  async #reply({ method, url = '/' }: IncomingMessage): Promise<Reply> {
    if (method !== 'GET' && method !== 'HEAD')
      return { ...plain(405, 'Only GET and HEAD.'), headers: { allow: 'GET, HEAD' } };
    if (this.#requests % this.#failEvery === 0)
      return { ...plain(503, 'Too much to do. Come again.'), headers: { 'retry-after': '0' } };
    // An address is looked for among what is there: no path leads out of the folder.
    const path = url.replace(/[?#].*$/s, '').slice(1);
    if (path === 'robots.txt') return plain(200, `User-agent: *\nDisallow: ${DISALLOWED}\n`);
    if (`/${path}` === DISALLOWED) return plain(200, `${this.#requests} requests`);
    if (path === '' && this.#roots.length > 1) return listing('', [...this.#roots, DISALLOWED]);
    const root = this.#roots.find((each) => path.startsWith(each));
    const within = root === undefined ? 'nowhere' : path.slice(root.length);
    if (this.#folders.has(within)) return listing(path, this.#namesIn(within));
    if (this.#folders.has(`${within}/`))
      return { ...plain(301, 'It is a folder.'), headers: { location: `/${path}/` } };
    if (!this.#pages.has(within)) return plain(404, 'There is nothing.');
    return { status: 200, type: HTML, body: await readFile(join(MANUAL_FOLDER, within)) };
  }

  /** Files and folders, and the way up or, at the top, the status. */
  #namesIn(folder: string): string[] {
    const names = [...this.#pages]
      .filter((page) => page.startsWith(folder))
      .map((page) => /^[^/]+\/?/.exec(page.slice(folder.length))?.[0] ?? '');
    return [...new Set(names), folder === '' ? DISALLOWED : '../'];
  }
}

function listing(path: string, names: readonly string[]): Reply {
  const title = `Index of /${path}`;
  const links = names.map((name) => `<li><a href="${name}">${name}</a></li>`);
  const body = `<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>${title}</title></head>\n<body><h1>${title}</h1><ul>\n${links.join('\n')}\n</ul></body></html>\n`;
  return { status: 200, type: HTML, body };
}

function plain(status: number, text: string): Reply {
  return { status, type: TEXT, body: `${text}\n` };
}
