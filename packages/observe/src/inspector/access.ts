/**
 * Who may ask, and what is said with every answer.
 *
 *     Host      one of ours        else a name that somebody points at 127.0.0.1 would make their page ours
 *     Origin    none, or ours      a page of another site says its own
 *     token     in a header        which no form and no link can set, and no log keeps
 *
 * Whoever fails one of them gets 403 and nothing else. Page, script and style hold no data, and need no token.
 */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

export const TOKEN_HEADER = 'x-streamweld-token';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

/** Nothing from anywhere but here, nothing inline, in no frame. Said of every answer, also where it is no page. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

export interface Asked {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly token: string | undefined;
}

export function makeToken(): string {
  return randomBytes(24).toString('base64url');
}

export class Access {
  readonly #hosts: ReadonlySet<string>;
  readonly #token: Buffer;

  /** @param hosts names under which it is reached, beside those of the loopback; without a port */
  constructor(token: string, hosts: readonly string[]) {
    this.#hosts = new Set([...LOOPBACK, ...hosts.map((host) => host.toLowerCase())]);
    this.#token = digest(token);
  }

  /** Ports are not compared: it may be reached through a tunnel, and a name that is ours is ours on each of them. */
  isSameSite({ host, origin }: Asked): boolean {
    if (host === undefined) return false;
    const ours = host.toLowerCase();
    if (!this.#hosts.has(ours.replace(/:\d*$/u, ''))) return false;
    return origin === undefined || /^https?:\/\/(.+)$/u.exec(origin.toLowerCase())?.[1] === ours;
  }

  /** Digests are compared, in a time that does not tell how much of the token was right. */
  hasToken({ token }: Asked): boolean {
    return token !== undefined && timingSafeEqual(digest(token), this.#token);
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
