/** What may pass, and how long to wait before another try. */

/** A server that is too busy, or a gateway whose server is away. */
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** What happens to connections, in words. */
const CONNECTIONS: Readonly<Record<string, { readonly text: string; readonly mayPass: boolean }>> = {
  ECONNREFUSED: { text: 'nothing answers at this address', mayPass: true },
  ECONNRESET: { text: 'the connection was lost', mayPass: true },
  EPIPE: { text: 'the connection was lost', mayPass: true },
  UND_ERR_SOCKET: { text: 'the connection was lost', mayPass: true },
  ETIMEDOUT: { text: 'there was no answer in time', mayPass: true },
  UND_ERR_CONNECT_TIMEOUT: { text: 'there was no connection in time', mayPass: true },
  UND_ERR_HEADERS_TIMEOUT: { text: 'there was no answer in time', mayPass: true },
  UND_ERR_BODY_TIMEOUT: { text: 'the answer did not go on in time', mayPass: true },
  UND_ERR_ABORTED: { text: 'the answer was not complete in time', mayPass: true },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: { text: 'the answer was cut off', mayPass: true },
  EAI_AGAIN: { text: 'its name could not be looked up', mayPass: true },
  EHOSTUNREACH: { text: 'there is no way to it', mayPass: true },
  ENETUNREACH: { text: 'there is no way to it', mayPass: true },
  ENOTFOUND: { text: 'there is no host of this name', mayPass: false },
};

export interface Failure {
  /** For the user, to stand behind an address. */
  readonly text: string;
  readonly mayPass: boolean;
}

export function mayPass(status: number): boolean {
  return PASSING_STATUS.has(status);
}

export function failureOf(error: unknown): Failure {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  const known = CONNECTIONS[code];
  if (known !== undefined) return known;
  return { text: code === '' ? String(error) : `the request failed (${code})`, mayPass: false };
}

const FIRST_MS = 250;
const LONGEST_MS = 10_000;

/** Twice as long each time, and anything up to that: those that failed together do not come again together. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1)) * (0.5 + random() / 2);
}

/**
 * What the header `retry-after` asks for: seconds, or a date.
 * @returns milliseconds; undefined where it asks for nothing that can be understood
 */
export function retryAfterMs(header: string | undefined, now: number = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
