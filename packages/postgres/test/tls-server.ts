/** A server that speaks TLS, and lets nobody in over the network without; and the certificates that go with it. */

import fs from 'node:fs';
import path from 'node:path';
import {
  type PostgresService,
  type PostgresTls,
  PostgresUnavailable,
  startPostgres,
} from '../../../tools/services/postgres.ts';

/** Those that `certificates/make.sh` makes. */
export type PemName =
  | 'root.pem'
  | 'intermediate.pem'
  | 'server.pem'
  | 'server.key'
  | 'expired.pem'
  | 'early.pem'
  | 'elsewhere.pem'
  | 'self-signed.pem'
  | 'client.pem'
  | 'client.key';

export function pemFile(name: PemName): string {
  return path.join(import.meta.dirname, 'certificates', name);
}

/** One behind the other, as a chain is given. */
export function pem(...names: readonly PemName[]): string {
  return names.map((name) => fs.readFileSync(pemFile(name), 'utf8')).join('');
}

/** A certificate of the key `server.key`, with those that lead to its authority. */
export function presenting(...names: readonly PemName[]): PostgresTls {
  return { certificate: pem(...names), key: pem('server.key'), clientAuthority: pem('root.pem') };
}

/** Undefined where none can be had; in CI that is a failure. `socket` is a folder for its Unix socket. */
export async function startTlsServer(socket: string): Promise<PostgresService | undefined> {
  try {
    return await startPostgres({
      from: ['local', 'embedded'],
      tls: presenting('server.pem', 'intermediate.pem'),
      access: [
        'local all all trust',
        'hostssl all certified 127.0.0.1/32 cert',
        'hostssl all all 127.0.0.1/32 trust',
      ],
      settings: { unix_socket_directories: socket },
    });
  } catch (error) {
    if (!(error instanceof PostgresUnavailable) || process.env['CI'] !== undefined) throw error;
    return undefined;
  }
}
