/** How the store is reached: types, defaults, checks. No value of them is ever shown: it may be a secret. */

import type { S3ClientConfig } from '@aws-sdk/client-s3';
import {
  type Awaitable,
  checkBoolean,
  checkDuration,
  checkOneOf,
  checkText,
  OptionError,
} from '@streamweld/core/connector';
import type { S3Store } from './client.ts';
import { checkBucketName, checkEndpoint } from './endpoint.ts';
import { S3Error } from './errors.ts';

/** An S3Client of the AWS SDK, by its shape: it may be of another version than ours. */
export interface S3ClientLike {
  send(...args: never[]): unknown;
  destroy(): void;
  readonly config: object;
}

/** Keys of the user, or a function that answers some: it is called again before they expire. */
export type S3Credentials = S3Identity | (() => Awaitable<S3Identity>);

export interface S3Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** Until when they are valid. */
  readonly expiration?: Date | undefined;
}

export interface ReachOptions {
  /** Where a store is that is not of AWS: `http://localhost:9000`. Default: what the SDK finds, which is AWS. */
  readonly endpoint?: string | undefined;
  /** Default: what the SDK finds (`AWS_REGION`, a profile); with an endpoint `us-east-1`. */
  readonly region?: string | undefined;
  /** Default: what the SDK finds: variables, a profile, a role. */
  readonly credentials?: S3Credentials | undefined;
  /** The bucket is in the path and not in the name of the host. Default: true with an endpoint, else false. */
  readonly forcePathStyle?: boolean | undefined;
  /** Whether what is sent has checksums that nobody asked for; some stores break on them. Default WHEN_SUPPORTED. */
  readonly requestChecksumCalculation?: 'WHEN_SUPPORTED' | 'WHEN_REQUIRED' | undefined;
  /** Whether what comes is compared with its checksum where the store has one. Default WHEN_SUPPORTED. */
  readonly responseChecksumValidation?: 'WHEN_SUPPORTED' | 'WHEN_REQUIRED' | undefined;
  /** How long the store may take for one answer, in milliseconds; for what carries bytes, 1 s more for each 64 kB. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** How long nothing of an object may come while it is waited for, in milliseconds. Default 30,000. */
  readonly stallMs?: number | undefined;
  /** How long what may pass is tried again before it is a failure, in milliseconds. Default 120,000. */
  readonly retryMs?: number | undefined;
  /** A client of yours instead: an S3Client of the AWS SDK, or whatever is an `S3Store`. Its own options count, and it is not closed. */
  readonly client?: S3ClientLike | S3Store | undefined;
  /** Shown in errors, reports and drawings; a sink whose key is a function finds its ledger by it. Default: `s3` and the bucket. */
  readonly name?: string | undefined;
}

export interface CheckedReach {
  readonly client: S3ClientLike | S3Store | undefined;
  /** Of a client that is made here. */
  readonly config: S3ClientConfig;
  readonly requestTimeoutMs: number;
  readonly stallMs: number;
  readonly retryMs: number;
  readonly name: string;
}

export const REACH_OPTIONS = [
  'endpoint',
  'region',
  'credentials',
  'forcePathStyle',
  'requestChecksumCalculation',
  'responseChecksumValidation',
  'requestTimeoutMs',
  'stallMs',
  'retryMs',
  'client',
  'name',
] as const;

const OF_CLIENT = [
  'endpoint',
  'region',
  'credentials',
  'forcePathStyle',
  'requestChecksumCalculation',
  'responseChecksumValidation',
] as const;

/** The store, and which bucket of it, where one is known. */
type Reached = ReachOptions & { readonly bucket?: unknown };

/** @param what is read or written: it becomes part of the name. */
export function checkReach(given: Reached, what: string): CheckedReach {
  const { client } = given;
  checkBucketName(given.bucket);
  if (client !== undefined) {
    checkClient(client);
    const own = OF_CLIENT.find((name) => given[name] !== undefined);
    if (own !== undefined) {
      throw new OptionError('client', `given without ${own}`, undefined, 'Its own options count.');
    }
  }
  return {
    client,
    config: client === undefined ? checkConfig(given) : {},
    requestTimeoutMs: checkTimeout('requestTimeoutMs', given.requestTimeoutMs ?? 30_000),
    stallMs: checkTimeout('stallMs', given.stallMs ?? 30_000),
    retryMs: checkDuration('retryMs', given.retryMs ?? 120_000),
    name: checkText('name', given.name ?? `s3 ${what}`),
  };
}

const WHEN = ['WHEN_SUPPORTED', 'WHEN_REQUIRED'] as const;

function checkConfig(given: Reached): S3ClientConfig {
  const endpoint = given.endpoint === undefined ? undefined : checkEndpoint(given.endpoint, given);
  const region =
    given.region === undefined
      ? endpoint === undefined
        ? undefined
        : 'us-east-1'
      : checkText('region', given.region);
  return {
    ...(endpoint === undefined ? undefined : { endpoint }),
    ...(region === undefined ? undefined : { region }),
    ...(given.credentials === undefined ? undefined : { credentials: checkCredentials(given.credentials) }),
    forcePathStyle: checkBoolean('forcePathStyle', given.forcePathStyle ?? endpoint !== undefined),
    ...checksums(given, 'requestChecksumCalculation'),
    ...checksums(given, 'responseChecksumValidation'),
  };
}

function checksums(
  given: ReachOptions,
  option: 'requestChecksumCalculation' | 'responseChecksumValidation',
): S3ClientConfig {
  return given[option] === undefined ? {} : { [option]: checkOneOf(option, given[option], WHEN) };
}

function checkTimeout(option: string, value: unknown): number {
  const ms = checkDuration(option, value);
  if (ms > 0) return ms;
  throw new OptionError(option, 'a duration above 0 milliseconds', value);
}

function checkCredentials(given: unknown): NonNullable<S3ClientConfig['credentials']> {
  if (typeof given !== 'function') return checkIdentity(given);
  return async () => {
    let identity: unknown;
    try {
      identity = await (given as () => unknown)();
    } catch (cause) {
      const message =
        'Could not get the keys of the user: the function that was given as credentials failed.';
      throw new S3Error('SW_S3_DENIED', message, { cause, isTransient: true });
    }
    return checkIdentity(identity);
  };
}

function checkIdentity(given: unknown): {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  expiration?: Date;
} {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = (given ?? {}) as Record<string, unknown>;
  for (const [name, value] of Object.entries({ accessKeyId, secretAccessKey })) {
    if (typeof value === 'string' && value !== '') continue;
    // Of what is there its type alone is shown.
    const shown = value === undefined || value === '' ? value : typeof value;
    throw new OptionError(`credentials.${name}`, 'a string that is not empty', shown);
  }
  if (sessionToken !== undefined && typeof sessionToken !== 'string')
    throw new OptionError('credentials.sessionToken', 'a string', typeof sessionToken);
  if (expiration !== undefined && !(expiration instanceof Date))
    throw new OptionError('credentials.expiration', 'a Date', typeof expiration);
  return {
    accessKeyId: accessKeyId as string,
    secretAccessKey: secretAccessKey as string,
    ...(sessionToken === undefined ? undefined : { sessionToken }),
    ...(expiration === undefined ? undefined : { expiration }),
  };
}

function checkClient(client: unknown): void {
  if (isS3Store(client) || hasMethods(client, ['send', 'destroy'])) return;
  // It is not shown: it may hold a secret.
  throw new OptionError('client', 'an S3Client of the AWS SDK, or an S3Store', typeof client);
}

export function isS3Store(client: unknown): client is S3Store {
  return hasMethods(client, ['list', 'get', 'put', 'completeUpload']);
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}
