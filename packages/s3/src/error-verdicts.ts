/** What each failure means: by the name that S3 gives it, by its status, or by what Node says of a connection. */

import type { S3ErrorCode } from './errors.ts';

export interface Verdict {
  readonly code: S3ErrorCode;
  readonly isTransient: boolean;
  /** What happened, and what to do now. */
  readonly words: string;
}

const busy = (words: string): Verdict => ({ code: 'SW_S3_BUSY', isTransient: true, words });
const denied = (words: string): Verdict => ({ code: 'SW_S3_DENIED', isTransient: false, words });
const lost = (words: string): Verdict => ({ code: 'SW_S3_CONNECTION_LOST', isTransient: true, words });
const unreachable = (words: string): Verdict => ({ code: 'SW_S3_UNREACHABLE', isTransient: true, words });
const invalid = (words: string): Verdict => ({ code: 'SW_S3_FAILED', isTransient: false, words });

const SLOWER = busy('the store asks for fewer requests at a time');
const INTERNAL = busy('something went wrong inside the store');
const FULL = busy('the store is full, or the quota of the bucket is used up. Make room there');
const CHANGED: Verdict = {
  code: 'SW_S3_OBJECT_CHANGED',
  isTransient: false,
  words: 'the object is not the one that it was: somebody replaced or deleted it',
};
const EXISTS: Verdict = {
  code: 'SW_S3_OBJECT_EXISTS',
  isTransient: false,
  words: 'there is an object with this key already, and it is not replaced',
};
const CONFLICT = busy('another writes the same key at this moment');
const MISSING: Verdict = {
  code: 'SW_S3_OBJECT_MISSING',
  isTransient: false,
  words: 'there is no such object, or not any more',
};
export const BUCKET: Verdict = {
  code: 'SW_S3_BUCKET_UNKNOWN',
  isTransient: false,
  words: 'there is no such bucket. Create it, or check its name, the endpoint and the region',
};
export const ELSEWHERE: Verdict = {
  code: 'SW_S3_BUCKET_UNKNOWN',
  isTransient: false,
  words: 'the bucket is in another region, or behind another endpoint. Set region to that of the bucket',
};
const EXPIRED = denied(
  'the credentials have expired, and asking for new ones gave none that are valid. See to where they come from',
);
const WRONG_KEYS = denied('the store does not know this access key, or the secret key is not its own');
const UNSUPPORTED: Verdict = {
  code: 'SW_S3_UNSUPPORTED',
  isTransient: false,
  words: 'the store has no such operation, or not with these options',
};
const DAMAGED: Verdict = {
  code: 'SW_S3_OBJECT_CORRUPT',
  isTransient: true,
  words: 'the bytes that arrived are not those that were sent: their checksums differ',
};
const PARTS = invalid('the store does not accept the parts of the upload: their size, order or checksums');
const KEY: Verdict = {
  code: 'SW_S3_KEY_INVALID',
  isTransient: false,
  words: 'the store takes no such key',
};

/** By the name in the answer. */
export const BY_NAME: Readonly<Record<string, Verdict>> = {
  SlowDown: SLOWER,
  SlowDownRead: SLOWER,
  SlowDownWrite: SLOWER,
  Throttling: SLOWER,
  ThrottlingException: SLOWER,
  TooManyRequests: SLOWER,
  RequestLimitExceeded: SLOWER,
  BandwidthLimitExceeded: SLOWER,
  ServiceUnavailable: busy('the store is not available'),
  InternalError: INTERNAL,
  InternalFailure: INTERNAL,
  InsufficientStorage: FULL,
  XMinioStorageFull: FULL,
  QuotaExceeded: FULL,
  XMinioAdminBucketQuotaExceeded: FULL,
  OperationAborted: CONFLICT,
  ConditionalRequestConflict: CONFLICT,
  RequestTimeout: lost('the store waited in vain for what was being sent'),
  IncompleteBody: lost('less arrived than was sent'),
  NoSuchBucket: BUCKET,
  InvalidBucketName: {
    ...BUCKET,
    words: 'no bucket can have such a name. Check it, and that the endpoint has no path',
  },
  PermanentRedirect: ELSEWHERE,
  TemporaryRedirect: ELSEWHERE,
  Redirect: ELSEWHERE,
  AuthorizationHeaderMalformed: ELSEWHERE,
  IllegalLocationConstraintException: ELSEWHERE,
  NoSuchKey: MISSING,
  NoSuchVersion: MISSING,
  NoSuchUpload: {
    code: 'SW_S3_UPLOAD_MISSING',
    isTransient: false,
    words: 'the upload is not open any more: it was completed or aborted',
  },
  InvalidPart: PARTS,
  InvalidPartOrder: PARTS,
  EntityTooSmall: PARTS,
  EntityTooLarge: invalid('the store takes nothing so large in one piece'),
  KeyTooLongError: KEY,
  KeyTooLong: KEY,
  InvalidObjectName: KEY,
  ParentIsObject: KEY,
  ObjectParentIsFile: KEY,
  XMinioParentIsObject: KEY,
  ExistingObjectIsDirectory: KEY,
  DirectoryObjectContainsData: KEY,
  InvalidURI: KEY,
  BadDigest: DAMAGED,
  InvalidDigest: DAMAGED,
  XAmzContentSHA256Mismatch: DAMAGED,
  XAmzContentChecksumMismatch: DAMAGED,
  AccessDenied: denied('the user may not do this, or there is no such object and the user may not list'),
  AllAccessDisabled: denied('the store has shut the bucket'),
  AccountProblem: denied('something is wrong with the account'),
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  InvalidToken: denied('the session token is not valid'),
  InvalidAccessKeyId: WRONG_KEYS,
  XAdminUserNotFound: WRONG_KEYS,
  SignatureDoesNotMatch: WRONG_KEYS,
  RequestTimeTooSkewed: denied(
    'the clock of this machine differs too much from the clock of the store. Set it right',
  ),
  RequestExpired: denied(
    'the clock of this machine differs too much from the clock of the store. Set it right',
  ),
  CredentialsProviderError: denied(
    'there are no credentials. Give them as credentials, or where the AWS SDK looks for them: AWS_ACCESS_KEY_ID, a profile, a role',
  ),
  TokenProviderError: EXPIRED,
  InvalidObjectState: {
    code: 'SW_S3_UNSUPPORTED',
    isTransient: false,
    words: 'the object lies in an archive. Restore it, or leave it out',
  },
  NotImplemented: UNSUPPORTED,
  MethodNotAllowed: UNSUPPORTED,
};

/** Where the name says nothing, as an answer to HEAD has none. */
export const BY_STATUS: Readonly<Record<number, Verdict>> = {
  301: ELSEWHERE,
  307: ELSEWHERE,
  308: ELSEWHERE,
  401: denied('the store does not know the user'),
  403: denied('the user may not do this, or there is no such object and the user may not list'),
  404: MISSING,
  405: UNSUPPORTED,
  408: lost('the store waited in vain for what was being sent'),
  409: CONFLICT,
  412: CHANGED,
  416: {
    code: 'SW_S3_OBJECT_CHANGED',
    isTransient: false,
    words: 'the object is shorter than where reading was to go on: it is not the one that it was',
  },
  429: SLOWER,
  501: UNSUPPORTED,
  507: FULL,
};

export const FAILED_INSIDE: Verdict = INTERNAL;
export const ALREADY_THERE: Verdict = EXISTS;

/** By the code that Node gives a failure of a connection. */
export const BY_NODE: Readonly<Record<string, Verdict>> = {
  ECONNREFUSED: unreachable('nothing listens at the endpoint. Check endpoint, and whether the store runs'),
  ENOTFOUND: unreachable(
    'the host of the endpoint is not known. Check endpoint, region and the network; a store that is not of AWS wants forcePathStyle',
  ),
  EAI_AGAIN: unreachable('the name of the endpoint could not be looked up. Check the network'),
  EHOSTUNREACH: unreachable('there is no way to the endpoint. Check the network'),
  ENETUNREACH: unreachable('there is no way to the endpoint. Check the network'),
  EADDRNOTAVAIL: unreachable('this machine has no address left to connect from'),
  ECONNRESET: lost('the connection ended'),
  EPIPE: lost('the connection ended'),
  ETIMEDOUT: lost('the connection went silent'),
  ERR_STREAM_PREMATURE_CLOSE: lost('the connection ended'),
  EPROTO: invalid('the endpoint does not speak TLS. Give it as http://, or take the port that does'),
  CERT_HAS_EXPIRED: invalid('the certificate of the endpoint has expired'),
  DEPTH_ZERO_SELF_SIGNED_CERT: invalid('the certificate of the endpoint is its own, and not trusted'),
  SELF_SIGNED_CERT_IN_CHAIN: invalid('the certificate of the endpoint is of nobody who is trusted'),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: invalid('the certificate of the endpoint is of nobody who is trusted'),
  ERR_TLS_CERT_ALTNAME_INVALID: invalid(
    'the certificate of the endpoint is of another host. With a bucket that has dots in its name, set forcePathStyle',
  ),
};

const NO_REGION = invalid(
  'there is no region, or none that can be. Give it as region, in AWS_REGION, or in a profile',
);

/** What the client says where no store has answered, by its name or the beginning of its message. */
export const BY_CLIENT: readonly (readonly [string, Verdict])[] = [
  ['TimeoutError', lost('the store did not answer in time')],
  ['Checksum mismatch', DAMAGED],
  ['aborted', lost('the connection ended')],
  ['socket hang up', lost('the connection ended')],
  ['Connection lost', lost('the connection ended')],
  ['Region is missing', NO_REGION],
  ['Region not accepted', NO_REGION],
  ['Invalid character in header', invalid('a value of the metadata has a character that no header can hold')],
];

export const CONNECTION_LOST: Verdict = lost('the connection ended before all had come');
export const SILENT: Verdict = lost('nothing came for too long');
export const NO_ANSWER: Verdict = lost('the store did not answer in time');
export const INCOMPLETE_ANSWER: Verdict = lost(
  'the answer of the store is cut, or lacks what it has to have',
);
export const NO_RANGES: Verdict = {
  ...UNSUPPORTED,
  words: 'the store sends another part of the object than was asked for: it knows of no ranges',
};
export const REFUSED: Verdict = invalid('the store refused it in a way that is not known here');
export const UNKNOWN: Verdict = invalid('it failed in a way that is not known here');

export function verdictOf(name: string | undefined): Verdict {
  return BY_NAME[name ?? ''] ?? UNKNOWN;
}
