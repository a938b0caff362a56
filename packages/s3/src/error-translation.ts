/**
 * Turns what the client threw into an error of ours. Nothing of what it threw goes along but what is known to hold no secret:
 * a store quotes the request that it refuses, with its session token, and a URL that was signed is a key by itself.
 */

import { isStreamWeldError, type StreamWeldError } from '@streamweld/core/connector';
import {
  ALREADY_THERE,
  BUCKET,
  BY_CLIENT,
  BY_NAME,
  BY_NODE,
  BY_STATUS,
  ELSEWHERE,
  FAILED_INSIDE,
  REFUSED,
  UNKNOWN,
  type Verdict,
} from './error-verdicts.ts';
import { S3Error } from './errors.ts';

export interface Translation {
  /** The name of the source or sink that asked. */
  readonly stage?: string | undefined;
  /** What was being done, for the sentence `Could not …`. */
  readonly action: string;
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
  /** It was to be refused where there is an object. */
  readonly isNew?: boolean | undefined;
}

/** The fields of an error of the SDK that tell. */
interface Thrown {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly Code?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly $response?: { readonly headers?: Readonly<Record<string, unknown>> | undefined } | undefined;
  readonly $metadata?: { readonly httpStatusCode?: unknown } | undefined;
}

export function toS3Error(error: unknown, translation: Translation): StreamWeldError {
  if (error instanceof S3Error) return error.at(translation.stage);
  if (isStreamWeldError(error)) return error;
  const { status, s3Error } = fieldsOf(error);
  const { verdict, cause } = judge(error, translation, status, s3Error);
  return makeS3Error(withRegion(verdict, error), translation, { s3Error, status, cause });
}

export function makeS3Error(
  { code, isTransient, words }: Verdict,
  { stage, action, bucket, key }: Translation,
  told: { s3Error?: string | undefined; status?: number | undefined; cause?: unknown } = {},
): S3Error {
  const { s3Error, status, cause } = told;
  const answer = s3Error ?? (status === undefined ? undefined : `status ${status}`);
  const places = [
    bucket === undefined ? undefined : `bucket ${quoted(bucket)}`,
    key && `key ${quoted(key)}`,
    answer,
  ];
  const where = places.filter(Boolean).join(', ');
  const message = `Could not ${action}: ${words}${where === '' ? '' : ` (${where})`}.`;
  const details = { stage, bucket, key, s3Error, status, isTransient };
  return new S3Error(code, message, cause === undefined ? details : { ...details, cause });
}

/** The store may say where the bucket is. */
function withRegion(verdict: Verdict, error: unknown): Verdict {
  const region = (error as Thrown | undefined)?.$response?.headers?.['x-amz-bucket-region'];
  if (
    verdict !== ELSEWHERE ||
    typeof region !== 'string' ||
    !/^[a-z]{2,3}(-[a-z]+){1,3}-\d{1,2}$/.test(region)
  )
    return verdict;
  return { ...verdict, words: `the bucket is in another region: set region to '${region}'` };
}

/** A key may be long, and have anything in it. */
function quoted(text: string): string {
  return JSON.stringify(text.length <= 200 ? text : `${text.slice(0, 200)}…`);
}

/** Names that the SDK makes up where the answer had none. */
const NO_NAMES = new Set(['Error', 'UnknownError', 'Unknown', 'NotFound', 'TypeError', 'S3ServiceException']);

function fieldsOf(error: unknown): { status: number | undefined; s3Error: string | undefined } {
  const { $metadata, name, Code } = (error ?? {}) as Thrown;
  if ($metadata === undefined) return { status: undefined, s3Error: undefined };
  const status = typeof $metadata.httpStatusCode === 'number' ? $metadata.httpStatusCode : undefined;
  const told = [Code, name].find((each) => typeof each === 'string' && isName(each));
  return { status, s3Error: status === undefined ? undefined : (told as string | undefined) };
}

/** Of whoever answered: no more of it than a name is taken over. */
export function isName(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9]{0,63}$/.test(text) && !NO_NAMES.has(text);
}

function judge(
  error: unknown,
  { isNew = false, key }: Translation,
  status: number | undefined,
  s3Error: string | undefined,
): { verdict: Verdict; cause?: unknown } {
  if (status === 412 && isNew) return { verdict: ALREADY_THERE };
  const named = s3Error === undefined ? undefined : BY_NAME[s3Error];
  if (named !== undefined) return { verdict: named };
  if (status === 404 && key === undefined) return { verdict: BUCKET };
  // An error inside a success has a name; where the SDK could not make it out, it was the store that failed.
  if (status !== undefined && (status >= 500 || status === 200)) {
    return { verdict: BY_STATUS[status] ?? FAILED_INSIDE };
  }
  if (status !== undefined && BY_STATUS[status] !== undefined) return { verdict: BY_STATUS[status] };
  for (let at = error, depth = 0; typeof at === 'object' && at !== null && depth < 8; depth += 1) {
    const { code, name, message, cause } = at as Thrown;
    const ofNode = typeof code === 'string' ? BY_NODE[code] : undefined;
    if (ofNode !== undefined) return { verdict: ofNode, cause: plain(code as string, at) };
    const ofClient = BY_CLIENT.find(([text]) => name === text || String(message).startsWith(text))?.[1];
    if (ofClient !== undefined) return { verdict: ofClient };
    const ofKeys = status === undefined && typeof name === 'string' ? BY_NAME[name] : undefined;
    if (ofKeys !== undefined) return { verdict: ofKeys };
    at = cause;
  }
  if (status !== undefined) return { verdict: REFUSED };
  // No store has answered, and so nothing is quoted in it.
  const { $metadata, $response } = (error ?? {}) as Thrown;
  return {
    verdict: UNKNOWN,
    ...($metadata === undefined && $response === undefined ? { cause: bare(error) } : {}),
  };
}

/** What Node says of a connection: clients hang the request on it, with its headers. */
function plain(code: string, error: object): Error {
  const { syscall, address, port, hostname } = error as Record<string, unknown>;
  const place = [address ?? hostname, port].filter(
    (each) => typeof each === 'string' || typeof each === 'number',
  );
  const words = [typeof syscall === 'string' ? syscall : undefined, code, place.join(':')].filter(Boolean);
  return Object.assign(new Error(words.join(' ')), { code });
}

/** As it was thrown, without what a client may have hung on it. */
function bare(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'object' ? undefined : error;
  const { name, message, stack } = error;
  const copy = new Error(message);
  for (const [property, value] of Object.entries({ name, stack }))
    Object.defineProperty(copy, property, { value, configurable: true, writable: true });
  return copy;
}

const OF_KEYS = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'TokenRefreshRequired',
  'InvalidAccessKeyId',
]);

/** Whether other keys may help. An answer to HEAD has no name; that of keys that expired has the status 400. */
export function isOfKeys(error: unknown): boolean {
  const { status, s3Error } = fieldsOf(error);
  return s3Error === undefined ? status === 400 : OF_KEYS.has(s3Error);
}

/** Whether it was the clock, which the client has set right for the next request. */
export function wasOfClock(error: unknown): boolean {
  const { $metadata } = (error ?? {}) as { $metadata?: { clockSkewCorrected?: unknown } };
  return $metadata?.clockSkewCorrected === true;
}
