/** Answers requests of Node's own servers, and of what is built on them. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Page } from './hub.ts';
import type { InspectorAnswer, Routes } from './routes.ts';

/** What a page may leave unread, in bytes, before it misses a sample. */
const MOST_UNREAD = 65_536;

export type NodeHandler = (req: IncomingMessage, res: ServerResponse, next?: () => void) => void;

export function nodeHandler(routes: Routes): NodeHandler {
  return (req, res, next) => {
    const url = req.url ?? '/';
    const answer = routes.answer({
      method: req.method ?? 'GET',
      url,
      // Express and its like take the place of what is mounted away.
      fullUrl: (req as { originalUrl?: string }).originalUrl ?? url,
      header: (name) => headerOf(req, name),
    });
    // Nothing here has a body; what is sent all the same is not kept.
    req.resume();
    res.on('error', () => {});
    if (answer === undefined) {
      if (next !== undefined) next();
      else res.writeHead(404).end();
      return;
    }
    if (answer instanceof Promise) void answer.then((settled) => send(req, res, settled));
    else send(req, res, answer);
  };
}

/** Given twice, it counts as none: nobody knows which of them another looked at. */
function headerOf(req: IncomingMessage, name: string): string | undefined {
  const values =
    req.headersDistinct[name] ?? (name === 'host' ? req.headersDistinct[':authority'] : undefined);
  return values?.length === 1 ? values[0] : undefined;
}

function send(
  req: IncomingMessage,
  res: ServerResponse,
  { status, headers, body, join }: InspectorAnswer,
): void {
  res.writeHead(status, { ...headers });
  if (join === undefined) {
    res.end(req.method === 'HEAD' ? undefined : body);
    return;
  }
  res.flushHeaders();
  const leave = join(pageOf(res));
  res.on('close', leave);
}

function pageOf(res: ServerResponse): Page {
  return {
    send: (text) => void res.write(text),
    get isBehind() {
      return res.writableLength > MOST_UNREAD;
    },
    end: () => void res.end(),
  };
}
