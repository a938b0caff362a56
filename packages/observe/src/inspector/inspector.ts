/** A page that shows what runs, live: off until it is called, on loopback, for whoever has the token. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Watchable } from '@streamweld/core';
import { checkWatchable } from '../shared/check.ts';
import { type Sampler, sampler } from '../shared/sampler.ts';
import { makeToken } from './access.ts';
import { listenFailed } from './errors.ts';
import { type FetchHandler, fetchHandler } from './fetch-adapter.ts';
import { type NodeHandler, nodeHandler } from './node-adapter.ts';
import {
  checkHandlerOptions,
  checkServerOptions,
  type InspectorHandlerOptions,
  type InspectorOptions,
  type Place,
} from './options.ts';
import { Routes } from './routes.ts';

export { INSPECTOR_ERROR_CODES, type InspectorErrorCode } from './errors.ts';
export type { FetchHandler } from './fetch-adapter.ts';
export type { NodeHandler } from './node-adapter.ts';
export type { InspectorHandlerOptions, InspectorOptions } from './options.ts';

/** Answers the requests of a page, in a server of yours. */
export interface InspectorHandler {
  /** For `node:http`, Express, and whatever takes `(req, res)`. What is not its own goes to `next`, or is a 404. */
  readonly node: NodeHandler;
  /** For hono, Deno, Bun, and whatever takes `(Request) → Response`. */
  readonly fetch: FetchHandler;
  /** The page is opened with it as the fragment: `https://example.com/inspector/#<token>`. */
  readonly token: string;
  /** Shows one more pipeline or dispatcher. @returns what takes it off the page again */
  readonly add: (target: Watchable) => () => void;
  /** Ends the streams of all pages, and forgets what was shown. */
  readonly close: () => void;
}

/** A server of its own, with one page. */
export interface Inspector extends AsyncDisposable {
  /** Where the page is, with the token: whoever has it sees what is shown, and may press the buttons. */
  readonly url: string;
  /** Shows one more pipeline or dispatcher. @returns what takes it off the page again */
  readonly add: (target: Watchable) => () => void;
  /** Ends all connections. Pipelines are not affected. */
  readonly close: () => Promise<void>;
}

/**
 * Opens a page on this machine that shows pipelines and dispatchers as they run: stages, buffers, rates, who waits for whom,
 * errors and positions. It costs nothing while no page is open, and never holds a pipeline up, nor the process alive.
 * @param targets one or several; more come with `add`
 * @throws OptionError at once, for options and for what is neither a pipeline nor a dispatcher; rejects with a
 * StreamWeldError, SW_INSPECTOR_LISTEN_FAILED, where it cannot listen.
 *
 * @example
 * const { url } = await inspector(pipeline, { control: true });
 * console.log(`Look at ${url}`);
 * await pipeline.run();
 */
export function inspector(
  targets: Watchable | readonly Watchable[],
  options?: InspectorOptions,
): Promise<Inspector> {
  const [place, rest] = checkServerOptions(options);
  return serve(makeHandler(targets, rest, sampler), place, rest.path ?? '/');
}

/**
 * The same for a server of yours, which decides who reaches it and how.
 * @throws OptionError for options, and for what is neither a pipeline nor a dispatcher
 */
export function inspectorHandler(
  targets: Watchable | readonly Watchable[],
  options?: InspectorHandlerOptions,
): InspectorHandler {
  return makeHandler(targets, options, sampler);
}

async function serve(handler: InspectorHandler, { port, host }: Place, path: string): Promise<Inspector> {
  const { node, token, add, close } = handler;
  const server = createServer(node);
  // A page that is left open keeps no process alive.
  server.on('connection', (socket) => socket.unref());
  await listen(server, host, port);
  server.unref();
  const { address, port: taken } = server.address() as AddressInfo;
  const end = (): Promise<void> => {
    close();
    return new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  };
  const name = ['0.0.0.0', '::'].includes(address) ? '127.0.0.1' : address;
  const at = `http://${name.includes(':') ? `[${name}]` : name}:${taken}`;
  return {
    url: `${at}${path.replace(/\/?$/u, '/')}#${token}`,
    add,
    close: end,
    [Symbol.asyncDispose]: end,
  };
}

/** @internal */
export function makeHandler(
  targets: Watchable | readonly Watchable[],
  options: InspectorHandlerOptions | undefined,
  watching: Sampler,
): InspectorHandler {
  const settings = checkHandlerOptions(options);
  const token = settings.token ?? makeToken();
  const routes = new Routes(settings, token, watching);
  const add = (target: Watchable): (() => void) => routes.hub.add(checkWatchable('inspector', target));
  for (const target of Array.isArray(targets) ? (targets as readonly Watchable[]) : [targets as Watchable])
    add(target);
  return {
    node: nodeHandler(routes),
    fetch: fetchHandler(routes),
    token,
    add,
    close: () => routes.hub.close(),
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenFailed(host, port, error)));
    server.listen(port, host, () => {
      // Later ones are of single connections, and end those.
      server.on('error', () => {});
      resolve();
    });
  });
}
