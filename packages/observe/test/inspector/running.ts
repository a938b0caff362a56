/** Pipelines that run on, and whoever asks their inspector as a browser would, or as one should not. */

import { once } from 'node:events';
import { type IncomingMessage, request as startRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConcurrentPipeline, from } from '@streamweld/core';

/** Hands out batches of what `make` makes until it is drained or aborted. */
export function endless<T>(make: (n: number) => T, pullMs: number = 2): ConcurrentPipeline<T> {
  let n = 0;
  const source = {
    name: 'numbers',
    pull: async (): Promise<T[]> => {
      await sleep(pullMs);
      return Array.from({ length: 5 }, () => make(n++));
    },
  };
  return new ConcurrentPipeline(from(source), { name: 'nowhere', write: () => {} }).name('endless');
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Asking {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

/** One request to the server of that url, with these headers and no others. */
export async function ask(
  url: string,
  { method = 'GET', path = '/', headers = {} }: Asking = {},
): Promise<Answered> {
  const response = await open(url, { method, path, headers });
  const parts: string[] = [];
  response.setEncoding('utf8');
  for await (const part of response) parts.push(part as string);
  return { status: response.statusCode ?? 0, headers: response.headers, body: parts.join('') };
}

/** The same, of which the body is still to be read. */
export async function open(
  url: string,
  { method = 'GET', path = '/', headers = {} }: Asking,
): Promise<IncomingMessage> {
  const { hostname, port } = new URL(url);
  const request = startRequest({
    host: hostname,
    port,
    method,
    path,
    headers: headers as never,
    agent: false,
  });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

export function tokenOf(url: string): string {
  return new URL(url).hash.slice(1);
}

interface Event {
  readonly kind: string;
  readonly data: Record<string, unknown>;
}

/** Events of a stream, as they come. It is left when the loop is. */
export async function* eventsOf(body: AsyncIterable<string | Uint8Array>): AsyncGenerator<Event, void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const parts = rest.split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const [, kind, data] = /^event: (\w+)\ndata: (.*)$/u.exec(part) ?? [];
      yield { kind: kind ?? '', data: JSON.parse(data ?? 'null') as Record<string, unknown> };
    }
  }
}

/** Tells a pipeline from others in what is asked of the server. */
export function idOf(sample: Record<string, unknown>): string {
  return sample['id'] as string;
}

/** The next event of that kind for which it holds. */
export async function nextEvent(
  events: AsyncGenerator<Event, void>,
  kind: string,
  holds: (data: Record<string, unknown>) => boolean = () => true,
): Promise<Record<string, unknown>> {
  for (;;) {
    const { done, value } = await events.next();
    if (done === true) throw new Error(`The stream ended before ${kind}.`);
    if (value.kind === kind && holds(value.data)) return value.data;
  }
}
