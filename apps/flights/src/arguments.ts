/** The arguments of the demo: what may be given, and what is said when it is something else. */

import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ArgumentError, checkOneOf, checkPostgres } from '@streamweld/app-kit';
import { SCHEMA } from './database.ts';
import { ALERTS_TOPIC } from './kafka.ts';
import { PROGRESS_MODES, type ProgressMode } from './progress.ts';
import { FLIGHTS_BUCKET, type S3Place } from './s3.ts';

export interface Arguments {
  readonly limit: number;
  readonly folder: string;
  readonly act: 'all' | '1' | '2' | '3';
  readonly slow: boolean;
  /** A server of the user's, or one of the demo's own, or none. */
  readonly postgres: { readonly url: string } | 'own' | 'none';
  /** `host:port` of each, where the alerts go to Kafka too. */
  readonly brokers: readonly string[] | undefined;
  /** Where all flights go to S3 too. */
  readonly s3: S3Place | undefined;
  readonly progress: ProgressMode;
}

const ALL_FLIGHTS = 3_000_000;
const ACTS = ['all', '1', '2', '3'] as const;
const DEFAULT_FOLDER = join(tmpdir(), 'streamweld-flights');

export const USAGE = `Three million real flights through one pipeline and three dispatchers, into files and Postgres, and past kill -9.

  npx --yes pnpm@12 demo [options]

  --limit N        only the first N flights, from 1 to 3,000,000. Default: all
  --out DIR        where the files go. Default: ${DEFAULT_FOLDER}
  --act WHICH      ${ACTS.join(', ')}. Default: all
                     1  Parquet into Postgres by a pipeline, and one after the other
                     2  the three dispatchers, and the proof
                     3  a run that is killed with kill -9, and goes on
  --postgres URL   a Postgres of yours: the demo makes its schema ${SCHEMA} anew, and leaves it there.
                   Default: STREAMWELD_POSTGRES_URL, and if that is not set a server that the demo
                   brings along and takes away again
  --no-postgres    without Postgres: no act 1, act 2 broadcasts to the other sinks, and act 3 writes into a file
  --slow           slows one sink down, to see who waits for it
  --progress HOW   ${PROGRESS_MODES.join(', ')}. Default: auto, which is tty in a terminal, else plain
  --help           this text

STREAMWELD_KAFKA_BROKERS=host:port,host:port: the alerts of act 2 go to Kafka too, into ${ALERTS_TOPIC}.
STREAMWELD_S3_ENDPOINT=http://host:port, with STREAMWELD_S3_ACCESS_KEY_ID and STREAMWELD_S3_SECRET_ACCESS_KEY:
all flights of act 2 go to S3 too, into ${FLIGHTS_BUCKET}, or into STREAMWELD_S3_BUCKET.

Ctrl-C finishes what is on its way and still reports. A second one aborts.`;

/** @throws ArgumentError */
export function parseArguments(args: readonly string[]): Arguments {
  const { limit, out, act, slow, postgres, progress, ...others } = parse(args);
  const which = checkOneOf('--act', act, ACTS);
  const isWithout = others['no-postgres'];
  if (isWithout && postgres !== undefined) {
    throw new ArgumentError('--no-postgres: expected alone, got it with --postgres.');
  }
  if (isWithout && which === '1') {
    throw new ArgumentError('--no-postgres: expected another act than 1, which writes to Postgres alone.');
  }
  return {
    limit: limit === undefined ? ALL_FLIGHTS : checkLimit(limit),
    folder: resolve(out === undefined ? DEFAULT_FOLDER : checkFolder(out)),
    act: which,
    slow,
    postgres: isWithout ? 'none' : checkPostgres(postgres),
    brokers: checkBrokers(process.env['STREAMWELD_KAFKA_BROKERS'] ?? ''),
    s3: checkS3(process.env['STREAMWELD_S3_ENDPOINT'] ?? ''),
    progress: checkOneOf('--progress', progress, PROGRESS_MODES),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        limit: { type: 'string' },
        out: { type: 'string' },
        act: { type: 'string', default: 'all' },
        slow: { type: 'boolean', default: false },
        postgres: { type: 'string' },
        'no-postgres': { type: 'boolean', default: false },
        progress: { type: 'string', default: 'auto' },
      },
    }).values;
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function checkLimit(text: string): number {
  const limit = Number(text.replaceAll(/[_,](?=\d{3})/g, ''));
  if (Number.isInteger(limit) && limit >= 1 && limit <= ALL_FLIGHTS) return limit;
  throw new ArgumentError(`--limit: expected a whole number from 1 to ${ALL_FLIGHTS}, got '${text}'.`);
}

function checkFolder(text: string): string {
  if (text !== '') return text;
  throw new ArgumentError('--out: expected the path of a folder, got nothing.');
}

/** They are not shown: somebody may have given a URL with a password. */
function checkBrokers(given: string): string[] | undefined {
  if (given === '') return undefined;
  return given.split(',').map((broker) => {
    const [, host, port = '9092'] = /^([^\s,:/@[\]]+)(?::(\d{1,5}))?$/.exec(broker.trim()) ?? [];
    if (host !== undefined && Number(port) > 0 && Number(port) <= 65_535) return `${host}:${port}`;
    throw new ArgumentError(
      'STREAMWELD_KAFKA_BROKERS: expected host:port,host:port of brokers that let everybody in, got something else.',
    );
  });
}

/** Nothing of it is shown: keys are secrets, and somebody may have given a URL with a password. */
function checkS3(endpoint: string): S3Place | undefined {
  if (endpoint === '') return undefined;
  const { protocol, username, password, search, hash } = URL.canParse(endpoint)
    ? new URL(endpoint)
    : ({ protocol: '' } as Partial<URL>);
  if (!/^https?:$/.test(protocol ?? '') || [username, password, search, hash].some(Boolean)) {
    throw new ArgumentError(
      'STREAMWELD_S3_ENDPOINT: expected the URL of a store, as http://localhost:9000, without a user or a query, got something else.',
    );
  }
  const of = (family: 'STREAMWELD_S3' | 'AWS', name: string) => process.env[`${family}_${name}`] || undefined;
  const given = (name: string) => of('STREAMWELD_S3', name) ?? of('AWS', name);
  const [accessKeyId, secretAccessKey] = [given('ACCESS_KEY_ID'), given('SECRET_ACCESS_KEY')];
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new ArgumentError(
      'STREAMWELD_S3_ENDPOINT: expected with STREAMWELD_S3_ACCESS_KEY_ID and STREAMWELD_S3_SECRET_ACCESS_KEY, or what AWS calls them, got it without.',
    );
  }
  // It belongs to its key, and to no other.
  const family = of('STREAMWELD_S3', 'ACCESS_KEY_ID') === undefined ? 'AWS' : 'STREAMWELD_S3';
  const sessionToken = of(family, 'SESSION_TOKEN');
  return {
    bucket: checkBucket(of('STREAMWELD_S3', 'BUCKET') ?? FLIGHTS_BUCKET),
    endpoint,
    region: given('REGION') ?? 'us-east-1',
    credentials: {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? undefined : { sessionToken }),
    },
  };
}

function checkBucket(name: string): string {
  if (/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name)) return name;
  throw new ArgumentError(`STREAMWELD_S3_BUCKET: expected 3 to 63 of a-z, 0-9, '-' and '.', got '${name}'.`);
}
