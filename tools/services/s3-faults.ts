/**
 * A proxy before an S3 server that does what a real one does not do on demand: it answers with errors, cuts bodies, loses
 * answers. What has no fault planned for it goes through as it came, signature and all.
 *
 *     client ──► plan: which request, the how manieth, what then ──► server
 *
 * Each fault counts how often it was met: a test that asked for one and does not see it counted has proved nothing.
 */

import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type S3Operation, type S3Request, readRequest } from './s3-requests.ts';

type S3Fault =
  /** An error of S3. The server does not hear of the request. With status 200 it is one inside a success. */
  | {
      readonly kind: 'error';
      readonly status: number;
      readonly code: string;
      readonly headers?: Readonly<Record<string, string>> | undefined;
    }
  /** The connection ends, and the server does not hear of the request. */
  | { readonly kind: 'reset' }
  /** The server does what it was asked to, and the connection ends instead of its answer. */
  | { readonly kind: 'loseAnswer' }
  /** The connection ends when so many bytes of the body are delivered. */
  | { readonly kind: 'cutBody'; readonly at: number }
  /** After so many bytes of the body nothing more comes, until the client has had enough. */
  | { readonly kind: 'stallBody'; readonly at: number }
  /** One bit of that byte of the body is another. */
  | { readonly kind: 'flipByte'; readonly at: number }
  /** Something is done before the request goes on: an object is overwritten, the server is killed. */
  | { readonly kind: 'before'; readonly run: () => Promise<unknown> };

interface S3Plan {
  /** Which requests: those of an operation, or those for which it answers true. */
  readonly on: S3Operation | ((request: S3Request) => boolean);
  /** How many of them go through before. Default 0. */
  readonly after?: number | undefined;
  /** How many of them it meets then. Default 1. */
  readonly times?: number | undefined;
  readonly fault: S3Fault;
}

interface PlannedFault {
  /** How many requests it has met. */
  readonly met: number;
}

export interface S3Faults extends AsyncDisposable {
  readonly endpoint: string;
  /** All that came, in order. */
  readonly requests: readonly S3Request[];
  /** Plans a fault. Of several that fit a request, the one that was planned first meets it. */
  plan(plan: S3Plan): PlannedFault;
  /** Takes back all that is planned, and forgets what came. */
  clear(): void;
  /** Ends all connections, and listens no more. */
  close(): Promise<void>;
}

/** Headers that are of one connection, and are in no signature. */
const OF_CONNECTION = ['connection', 'keep-alive', 'expect'] as const;

export async function openS3Faults(target: { readonly port: number }): Promise<S3Faults> {
  const agent = new http.Agent({ keepAlive: true });
  const requests: S3Request[] = [];
  let planned: Planned[] = [];

  const handle = async (incoming: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const request = readRequest(incoming);
    requests.push(request);
    const fault = planned.find((each) => each.meets(request))?.fault;
    if (fault?.kind === 'reset') return void answer.destroy();
    if (fault?.kind === 'error') return refuse(incoming, answer, fault);
    if (fault?.kind === 'before') await fault.run();
    const reply = await pass(incoming, answer, target.port, agent);
    await deliver(reply, answer, fault);
  };
  const onRequest = (incoming: IncomingMessage, answer: ServerResponse): void => {
    // Whichever side went away, the other hears of it by its connection.
    handle(incoming, answer).catch(() => answer.destroy());
  };
  const server = http.createServer(onRequest);
  server.on('checkContinue', (incoming: IncomingMessage, answer: ServerResponse) => {
    answer.writeContinue();
    onRequest(incoming, answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const closed = once(server, 'close');
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    agent.destroy();
    await closed;
  };
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    plan(plan) {
      const made = new Planned(plan);
      planned.push(made);
      return made;
    },
    clear() {
      planned = [];
      requests.length = 0;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

class Planned implements PlannedFault {
  readonly fault: S3Fault;
  readonly #plan: S3Plan;
  #seen = 0;
  met = 0;

  constructor(plan: S3Plan) {
    this.fault = plan.fault;
    this.#plan = plan;
  }

  meets(request: S3Request): boolean {
    const { on, after = 0, times = 1 } = this.#plan;
    if (typeof on === 'string' ? request.operation !== on : !on(request)) return false;
    this.#seen += 1;
    if (this.#seen <= after || this.met >= times) return false;
    this.met += 1;
    return true;
  }
}

function refuse(
  incoming: IncomingMessage,
  answer: ServerResponse,
  { status, code, headers }: Extract<S3Fault, { kind: 'error' }>,
): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>${code}</Code><Message>Planned by a test.</Message><RequestId>planned</RequestId></Error>`;
  // Whoever still sends is let finish: otherwise it would hear of its connection, and of nothing else.
  incoming.resume();
  incoming.once('end', () => {
    answer.writeHead(status, { 'content-type': 'application/xml', ...headers });
    answer.end(incoming.method === 'HEAD' ? undefined : body);
  });
}

/** Asks the server, and resolves when its answer begins. */
function pass(
  incoming: IncomingMessage,
  answer: ServerResponse,
  port: number,
  agent: http.Agent,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, url } = incoming;
    const headers = without(incoming.headers);
    const outgoing = http.request({ host: '127.0.0.1', port, method, path: url, headers, agent }, resolve);
    outgoing.once('error', reject);
    // A client that has gone wants nothing more of the server.
    answer.once('close', () => outgoing.destroy());
    incoming.once('error', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
}

async function deliver(
  reply: IncomingMessage,
  answer: ServerResponse,
  fault: S3Fault | undefined,
): Promise<void> {
  if (fault?.kind === 'loseAnswer') {
    // It has done all of it when all of its answer is there.
    for await (const _ of reply);
    answer.destroy();
    return;
  }
  answer.writeHead(reply.statusCode ?? 500, without(reply.headers));
  answer.flushHeaders();
  let delivered = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    const from = delivered;
    delivered += chunk.length;
    if (fault !== undefined && 'at' in fault && fault.at < delivered && fault.at >= from) {
      const at = fault.at - from;
      if (fault.kind === 'flipByte') chunk[at] = (chunk[at] as number) ^ 1;
      else {
        await write(answer, chunk.subarray(0, at));
        if (fault.kind === 'cutBody') answer.destroy();
        else await once(answer, 'close');
        return;
      }
    }
    await write(answer, chunk);
  }
  answer.end();
}

/** Resolves when it is on its way. */
function write(answer: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    answer.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

function without(headers: IncomingMessage['headers']): http.OutgoingHttpHeaders {
  const kept: http.OutgoingHttpHeaders = { ...headers };
  for (const name of OF_CONNECTION) delete kept[name];
  return kept;
}
