/**
 * A TCP proxy that breaks connections in the ways networks do, when a test says so. It listens on loopback alone.
 *
 *     client ── request ──► proxy ── request ──► target
 *            ◄── reply ────       ◄── reply ────
 *
 * Each kind of fault has a count of how often it fired: a test that asked for one and does not see it counted has proved
 * nothing.
 */

import net from 'node:net';
import { Random } from './random.ts';

/** `request`: from the client to the target; `reply`: back. */
export type Direction = 'request' | 'reply';

export interface FaultProxyOptions {
  /** Where connections are passed on to. */
  readonly target: { readonly host?: string | undefined; readonly port: number };
  /** For jitter, and for the bit that is flipped. Default 1. */
  readonly seed?: number | undefined;
}

/** How often each kind of fault fired. */
export interface FaultCounts {
  /** Pieces that were held back for a while. */
  delayed: number;
  /** Pieces that had to wait for the bandwidth. */
  limited: number;
  /** Bytes that went into a black hole. */
  swallowed: number;
  /** Connections that were cut in the middle of a stream, or reset. */
  cut: number;
  /** Replies that were not delivered although the request was. */
  repliesDropped: number;
  /** Bytes of which one bit was flipped. */
  flipped: number;
  /** Connections that were not let in. */
  refused: number;
}

export interface FaultProxy extends AsyncDisposable {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly counts: Readonly<FaultCounts>;
  /** Connections that are open now. */
  readonly connections: number;
  /** Holds every piece back for so long, and up to `jitterMs` more; order is kept. */
  delay(ms: number, options?: { readonly jitterMs?: number; readonly direction?: Direction }): void;
  /** Lets at most so many bytes a second pass, on each connection. */
  limit(bytesPerSecond: number, options?: { readonly direction?: Direction }): void;
  /** Takes everything and passes nothing on; connections stay open, as behind a cable that was cut. */
  blackhole(direction?: Direction): void;
  /** Resets the connection over which the next `bytes` bytes have passed, right behind the last of them. */
  cutAfter(bytes: number, direction?: Direction): void;
  /** Flips one bit of the byte that comes after `bytes` more. */
  flipAfter(bytes: number, direction?: Direction): void;
  /**
   * Passes the next request for which `isIt` answers true on to the target, swallows what the target replies to it, and
   * resets the connection then: the request was carried out, and nobody knows.
   */
  dropReply(isIt: (request: Uint8Array) => boolean): void;
  /** Lets no new connection in: it is reset at once. */
  refuse(): void;
  /** Takes back all of the above; connections that are open go on. */
  restore(): void;
  /** Resets all connections that are open. */
  reset(): void;
  /** Resets all connections, and listens no more. */
  close(): Promise<void>;
}

interface Rule {
  delayMs: number;
  jitterMs: number;
  bytesPerSecond: number;
  isSwallowed: boolean;
  /** Bytes that may still pass before the cut; undefined: there is none. */
  cutAfter: number | undefined;
  flipAfter: number | undefined;
}

const PASSING: Rule = {
  delayMs: 0,
  jitterMs: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  isSwallowed: false,
  cutAfter: undefined,
  flipAfter: undefined,
};

/** What may wait in one direction of a connection before its sender has to. */
const MAX_QUEUED = 1 << 20;

/** How fine a bandwidth is kept, in pieces a second. */
const PIECES_PER_SECOND = 50;

/**
 * Opens a proxy in front of a server.
 *
 * @example
 * await using proxy = await openFaultProxy({ target: { port: 5432 } });
 * proxy.dropReply((request) => Buffer.from(request).includes('commit'));
 */
export async function openFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new Proxy(options);
  await proxy.listen();
  return proxy;
}

class Proxy implements FaultProxy {
  readonly host = '127.0.0.1';
  readonly counts: FaultCounts = {
    delayed: 0,
    limited: 0,
    swallowed: 0,
    cut: 0,
    repliesDropped: 0,
    flipped: 0,
    refused: 0,
  };
  readonly rules: Readonly<Record<Direction, Rule>> = { request: { ...PASSING }, reply: { ...PASSING } };
  readonly random: Random;
  /** What the request whose reply is to be dropped looks like. */
  isDropped: ((request: Uint8Array) => boolean) | undefined;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: net.Server;
  readonly #links = new Set<Link>();
  #refuses = false;

  constructor({ target, seed = 1 }: FaultProxyOptions) {
    this.#target = { host: target.host ?? '127.0.0.1', port: target.port };
    this.random = new Random(seed);
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
      this.#connect(client),
    );
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, this.host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The proxy is closed.');
    return address.port;
  }

  get connections(): number {
    return this.#links.size;
  }

  #connect(client: net.Socket): void {
    if (this.#refuses) {
      this.counts.refused += 1;
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const target = net.connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const link = new Link(this, client, target, () => this.#links.delete(link));
    this.#links.add(link);
  }

  #each(direction: Direction | undefined, change: (rule: Rule) => void): void {
    for (const at of ['request', 'reply'] as const) {
      if (direction === undefined || direction === at) change(this.rules[at]);
    }
  }

  delay(ms: number, { jitterMs = 0, direction }: { jitterMs?: number; direction?: Direction } = {}): void {
    this.#each(direction, (rule) => Object.assign(rule, { delayMs: ms, jitterMs }));
  }

  limit(bytesPerSecond: number, { direction }: { direction?: Direction } = {}): void {
    if (!(bytesPerSecond > 0)) throw new RangeError('limit: bytesPerSecond must be above 0.');
    this.#each(direction, (rule) => Object.assign(rule, { bytesPerSecond }));
  }

  blackhole(direction?: Direction): void {
    this.#each(direction, (rule) => Object.assign(rule, { isSwallowed: true }));
  }

  cutAfter(bytes: number, direction: Direction = 'reply'): void {
    this.rules[direction].cutAfter = bytes;
  }

  flipAfter(bytes: number, direction: Direction = 'reply'): void {
    this.rules[direction].flipAfter = bytes;
  }

  dropReply(isIt: (request: Uint8Array) => boolean): void {
    this.isDropped = isIt;
  }

  refuse(): void {
    this.#refuses = true;
  }

  restore(): void {
    this.#refuses = false;
    this.isDropped = undefined;
    this.#each(undefined, (rule) => Object.assign(rule, PASSING));
  }

  reset(): void {
    for (const link of this.#links) link.cut();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const link of this.#links) link.end();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** One connection through the proxy. */
class Link {
  readonly proxy: Proxy;
  /** The reply to what was last sent is not to arrive. */
  dropsReply = false;
  readonly #client: net.Socket;
  readonly #target: net.Socket;
  readonly #lanes: readonly Lane[];
  readonly #over: () => void;
  #isOver = false;

  constructor(proxy: Proxy, client: net.Socket, target: net.Socket, over: () => void) {
    this.proxy = proxy;
    this.#client = client;
    this.#target = target;
    this.#over = over;
    this.#lanes = [new Lane(this, 'request', client, target), new Lane(this, 'reply', target, client)];
    for (const socket of [client, target]) {
      // Whatever goes wrong on one side is a connection that is gone on the other.
      socket.on('error', () => this.end());
      socket.on('close', () => {
        if (client.destroyed && target.destroyed) this.end();
        else if (!socket.readableEnded || !socket.writableFinished) this.end();
      });
    }
  }

  /** As a fault. */
  cut(): void {
    if (this.#isOver) return;
    this.proxy.counts.cut += 1;
    this.end();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const lane of this.#lanes) lane.stop();
    reset(this.#client);
    reset(this.#target);
    this.#over();
  }
}

/**
 * While the system is at an end that was passed on, it refuses a reset (EINVAL), and Node then leaves the handle open. So that
 * one is only closed.
 */
function reset(socket: net.Socket): void {
  const isEnding = socket.writableEnded && !socket.writableFinished;
  if (isEnding) socket.destroy();
  else socket.resetAndDestroy();
}

interface Piece {
  readonly bytes: Buffer;
  readonly dueAt: number;
}

/** One direction of a connection: pieces in order, each when it is due. */
class Lane {
  readonly #link: Link;
  readonly #direction: Direction;
  readonly #from: net.Socket;
  readonly #to: net.Socket;
  #queue: Piece[] = [];
  #queued = 0;
  #hasEnded = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(link: Link, direction: Direction, from: net.Socket, to: net.Socket) {
    this.#link = link;
    this.#direction = direction;
    this.#from = from;
    this.#to = to;
    from.on('data', (bytes) => this.#arrived(bytes));
    from.on('end', () => {
      this.#hasEnded = true;
      this.#send();
    });
    to.on('drain', () => this.#send());
  }

  stop(): void {
    this.#isStopped = true;
    this.#queue = [];
    if (this.#timer !== undefined) clearTimeout(this.#timer);
  }

  #arrived(bytes: Buffer): void {
    const { proxy } = this.#link;
    const rule = proxy.rules[this.#direction];
    if (rule.isSwallowed) {
      proxy.counts.swallowed += bytes.length;
      return;
    }
    if (this.#direction === 'request' && proxy.isDropped?.(bytes) === true) {
      proxy.isDropped = undefined;
      this.#link.dropsReply = true;
    } else if (this.#direction === 'reply' && this.#link.dropsReply) {
      proxy.counts.repliesDropped += 1;
      this.#link.end();
      return;
    }
    let waitMs = rule.delayMs;
    if (rule.jitterMs > 0) waitMs += proxy.random.next() * rule.jitterMs;
    if (waitMs > 0) proxy.counts.delayed += 1;
    // Never before the one in front of it.
    const dueAt = Math.max(performance.now() + waitMs, this.#queue.at(-1)?.dueAt ?? 0);
    for (const part of this.#parts(bytes, rule)) this.#queue.push({ bytes: part, dueAt });
    this.#queued += bytes.length;
    if (this.#queued > MAX_QUEUED) this.#from.pause();
    this.#send();
  }

  #parts(bytes: Buffer, { bytesPerSecond }: Rule): readonly Buffer[] {
    if (bytesPerSecond === Number.POSITIVE_INFINITY) return [bytes];
    const size = Math.max(1, Math.floor(bytesPerSecond / PIECES_PER_SECOND));
    return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );
  }

  #send(): void {
    if (this.#isStopped || this.#timer !== undefined) return;
    for (;;) {
      const [piece] = this.#queue;
      if (piece === undefined) break;
      if (this.#to.writableNeedDrain) return;
      const waitMs = piece.dueAt - performance.now();
      if (waitMs > 0) {
        this.#wait(waitMs);
        return;
      }
      this.#queue.shift();
      this.#queued -= piece.bytes.length;
      if (this.#queued <= MAX_QUEUED / 2 && this.#from.isPaused()) this.#from.resume();
      if (!this.#pass(piece.bytes)) return;
      const { proxy } = this.#link;
      const { bytesPerSecond } = proxy.rules[this.#direction];
      if (bytesPerSecond !== Number.POSITIVE_INFINITY) {
        proxy.counts.limited += 1;
        this.#wait((piece.bytes.length / bytesPerSecond) * 1000);
        return;
      }
    }
    if (this.#hasEnded && !this.#to.writableEnded) this.#to.end();
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#send();
    }, ms);
  }

  /** Whether the connection is still there. */
  #pass(bytes: Buffer): boolean {
    const { proxy } = this.#link;
    const rule = proxy.rules[this.#direction];
    let passed = bytes;
    if (rule.flipAfter !== undefined) {
      if (rule.flipAfter < bytes.length) {
        passed = Buffer.from(bytes);
        passed[rule.flipAfter] = (passed[rule.flipAfter] as number) ^ (1 << proxy.random.integer(0, 7));
        proxy.counts.flipped += 1;
        rule.flipAfter = undefined;
      } else {
        rule.flipAfter -= bytes.length;
      }
    }
    if (rule.cutAfter === undefined) {
      this.#to.write(passed);
      return true;
    }
    if (rule.cutAfter > passed.length) {
      rule.cutAfter -= passed.length;
      this.#to.write(passed);
      return true;
    }
    const last = passed.subarray(0, rule.cutAfter);
    rule.cutAfter = undefined;
    // A reset would take back what the system has not sent yet.
    this.#to.write(last, () => setImmediate(() => this.#link.cut()));
    this.#isStopped = true;
    return false;
  }
}
