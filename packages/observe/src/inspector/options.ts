/** What an inspector is told, checked at the door. */

import { OptionError } from '@streamweld/core';
import { checkBoolean, checkOptions, checkText } from '@streamweld/core/connector';
import type { Redact } from './tap.ts';

export interface InspectorHandlerOptions {
  /** Whether the page has buttons to pause, resume and drain what it shows. Default false. */
  readonly control?: boolean | undefined;
  /**
   * Whether items may be looked at. A function is given an item and answers what is shown of it, to leave out what is
   * secret. Default false.
   */
  readonly items?: boolean | ((item: unknown) => unknown) | undefined;
  /** Names of hosts under which it is reached, beside those of the loopback; without a port. Default none. */
  readonly hosts?: readonly string[] | undefined;
  /** Where the handler is mounted in a server that leaves its place in the path, as in `'/inspector'`. Default `'/'`. */
  readonly path?: string | undefined;
  /** What whoever asks must know; at least 16 letters. Default a random one. */
  readonly token?: string | undefined;
}

export interface InspectorOptions extends InspectorHandlerOptions {
  /** Default 0: any that is free. */
  readonly port?: number | undefined;
  /** Where it listens. Default `'127.0.0.1'`: whoever is not on this machine cannot reach it. */
  readonly host?: string | undefined;
}

export interface Settings {
  readonly control: boolean;
  readonly items: boolean;
  readonly redact: Redact | undefined;
  readonly hosts: readonly string[];
  /** Ends in a slash. */
  readonly path: string;
  readonly token: string | undefined;
}

const HANDLER = ['control', 'items', 'hosts', 'path', 'token'] as const;
const SHORTEST_TOKEN = 16;
/** What a fragment of a URL and a header may both hold as it is. */
const TOKEN = /^[\w.~-]+$/u;

export function checkHandlerOptions(given: InspectorHandlerOptions | undefined): Settings {
  const { control, items, hosts, path, token } = checkOptions('inspector', given, HANDLER);
  if (control !== undefined) checkBoolean('inspector.control', control);
  if (items !== undefined && typeof items !== 'function') checkBoolean('inspector.items', items);
  if (token !== undefined) checkToken(token);
  return {
    control: control ?? false,
    items: items !== undefined && items !== false,
    redact: typeof items === 'function' ? items : undefined,
    hosts: checkHosts(hosts ?? []),
    path: checkPath(path ?? '/'),
    token,
  };
}

export interface Place {
  readonly port: number;
  readonly host: string;
}

export function checkServerOptions(
  given: InspectorOptions | undefined,
): readonly [Place, InspectorHandlerOptions] {
  const { port, host, ...rest } = checkOptions('inspector', given, ['port', 'host', ...HANDLER]);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535))
    throw new OptionError('inspector.port', 'a port from 0 to 65535', port);
  if (host !== undefined) checkText('inspector.host', host);
  return [{ port: port ?? 0, host: host ?? '127.0.0.1' }, rest];
}

/** What was given is never told: it may be in use. */
function checkToken(token: unknown): void {
  if (typeof token === 'string' && token.length >= SHORTEST_TOKEN && TOKEN.test(token)) return;
  throw new OptionError(
    'inspector.token',
    `at least ${SHORTEST_TOKEN} letters, digits, '-', '_', '.' or '~'`,
    typeof token === 'string' ? `${token.length} characters` : typeof token,
  );
}

function checkHosts(hosts: unknown): readonly string[] {
  if (Array.isArray(hosts) && hosts.every((host) => typeof host === 'string' && /^[^\s/:]+$/u.test(host)))
    return hosts as string[];
  throw new OptionError('inspector.hosts', 'names of hosts, without scheme and port', hosts);
}

function checkPath(path: unknown): string {
  if (typeof path === 'string' && path.startsWith('/')) return path.endsWith('/') ? path : `${path}/`;
  throw new OptionError('inspector.path', "a path that begins with '/'", path);
}
