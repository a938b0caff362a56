/** Requests, one at a time: what was answered, or why nothing was. The only file that knows undici. */

import { Agent } from 'undici';
import { ENCODINGS, readBody, Refusal, tooLarge } from './body.ts';
import { failureOf, mayPass, retryAfterMs } from './passing.ts';

export interface FetcherOptions {
  /** The most connections to one origin. */
  readonly perHost: number;
  /** For the whole of an answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Of a body, compressed or not. */
  readonly maxBytes: number;
}

interface Document {
  readonly kind: 'document';
  readonly status: number;
  /** The header, as it came. */
  readonly contentType: string;
  readonly bytes: Uint8Array;
}
interface Redirect {
  readonly kind: 'redirect';
  readonly status: number;
  readonly location: string | undefined;
}
/** There is something, and it is not of a type that was wanted. */
interface Unwanted {
  readonly kind: 'unwanted';
  readonly status: number;
  readonly contentType: string;
}
export interface Failed {
  readonly kind: 'failed';
  /** None where there was no answer. */
  readonly status: number | undefined;
  /** For the user. */
  readonly reason: string;
  readonly mayPass: boolean;
  /** What the server asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined;
}
export type Answer = Document | Redirect | Unwanted | Failed;

/** Sent with every request, and looked for in robots.txt. */
export const AGENT = 'streamweld-web-scraper';
const USER_AGENT = `${AGENT}/1.0 (+https://github.com/streamweld/streamweld)`;

type Response = Awaited<ReturnType<Agent['request']>>;

export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #agent: Agent;
  #requests = 0;

  constructor(options: FetcherOptions) {
    this.#options = options;
    const { perHost, timeoutMs } = options;
    this.#agent = new Agent({
      connections: perHost,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: { timeout: timeoutMs },
    });
  }

  /** How many requests were made. */
  get requests(): number {
    return this.#requests;
  }

  /**
   * No redirect is followed: it is an answer.
   * @param isWanted of the header `content-type`: the body of what is not is left
   */
  async get(
    address: string,
    { from, isWanted }: { from?: string | undefined; isWanted: (contentType: string) => boolean },
  ): Promise<Answer> {
    const { origin, pathname, search } = new URL(address);
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), this.#options.timeoutMs);
    this.#requests += 1;
    try {
      const response = await this.#agent.request({
        origin,
        path: pathname + search,
        method: 'GET',
        signal: controller.signal,
        headers: {
          'user-agent': USER_AGENT,
          accept: 'text/html, */*;q=0.1',
          'accept-encoding': ENCODINGS,
          ...(from === undefined ? {} : { referer: from }),
        },
      });
      return await this.#answer(response, isWanted);
    } catch (error) {
      if (error instanceof Refusal)
        return {
          kind: 'failed',
          status: 200,
          reason: error.message,
          mayPass: false,
          retryAfterMs: undefined,
        };
      const code = controller.signal.aborted ? { code: 'UND_ERR_ABORTED' } : error;
      const { text: reason, mayPass: passes } = failureOf(code);
      return { kind: 'failed', status: undefined, reason, mayPass: passes, retryAfterMs: undefined };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends requests that are under way too. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #answer(response: Response, isWanted: (contentType: string) => boolean): Promise<Answer> {
    const { statusCode: status, headers, body } = response;
    const { maxBytes } = this.#options;
    const header = (name: string): string | undefined => {
      const value = headers[name];
      return Array.isArray(value) ? value[0] : value;
    };
    // A body that nobody reads keeps its connection: a short one is read away, of a long one the connection is given up.
    const leave = () => body.dump({ limit: 64 * 1024 }).catch(() => {});
    if (status >= 300 && status < 400 && status !== 304) {
      await leave();
      return { kind: 'redirect', status, location: header('location') };
    }
    if (status < 200 || status >= 300) {
      await leave();
      return {
        kind: 'failed',
        status,
        reason: `it is answered with ${status}`,
        mayPass: mayPass(status),
        retryAfterMs: retryAfterMs(header('retry-after')),
      };
    }
    const contentType = header('content-type') ?? '';
    if (!isWanted(contentType)) {
      await leave();
      return { kind: 'unwanted', status, contentType };
    }
    if (Number(header('content-length')) > maxBytes) {
      await leave();
      throw tooLarge(maxBytes);
    }
    const bytes = await readBody(body, header('content-encoding'), maxBytes);
    return { kind: 'document', status, contentType, bytes };
  }
}
