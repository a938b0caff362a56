/** Answers requests of the web's own kind: of hono, Deno, Bun, and whatever else calls `fetch(request)`. */

import type { InspectorAnswer, Routes } from './routes.ts';

/** What a page may leave unread, in bytes, before it misses a sample. */
const MOST_UNREAD = 65_536;

export type FetchHandler = (request: Request) => Promise<Response>;

export function fetchHandler(routes: Routes): FetchHandler {
  return async (request) => {
    const { pathname, search, host } = new URL(request.url);
    const url = pathname + search;
    const answer = await routes.answer({
      method: request.method,
      url,
      fullUrl: url,
      header: (name) => request.headers.get(name) ?? (name === 'host' ? host : undefined),
    });
    return answer === undefined ? new Response(null, { status: 404 }) : responseOf(answer);
  };
}

function responseOf({ status, headers, body, join }: InspectorAnswer): Response {
  return new Response(join === undefined ? body : streamOf(join), { status, headers: { ...headers } });
}

function streamOf(join: NonNullable<InspectorAnswer['join']>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let leave = (): void => {};
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        leave = join({
          send: (text) => controller.enqueue(encoder.encode(text)),
          get isBehind() {
            return (controller.desiredSize ?? 0) <= 0;
          },
          end: () => controller.close(),
        });
      },
      cancel: () => leave(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MOST_UNREAD }),
  );
}
