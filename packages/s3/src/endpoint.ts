/** Where a store is, and where the bucket is: apart. No value of either is shown, as it may hold a secret. */

import { isIP } from 'node:net';
import { OptionError } from '@streamweld/core/connector';

/** How Hadoop and the tools of AWS write an object: as a URL, of which a bucket and a prefix are parts. */
export const AS_URL: RegExp = /^s3[an]?:\/\//i;

interface Place {
  readonly bucket?: unknown;
  readonly forcePathStyle?: unknown;
}

/** The URL of a store, as it was given. What would be in each request twice is refused: a sink would write under other keys. */
export function checkEndpoint(given: unknown, { bucket, forcePathStyle }: Place): string {
  const url = typeof given === 'string' && URL.canParse(given) ? new URL(given) : undefined;
  // It is not shown: a URL may hold a password.
  const isGood =
    (url?.protocol === 'http:' || url?.protocol === 'https:') &&
    url.username === '' &&
    url.password === '' &&
    url.search === '' &&
    url.hash === '';
  if (!isGood) {
    throw new OptionError(
      'endpoint',
      'the URL of a store, as http://localhost:9000',
      typeof given,
      'It has no user, password or query. What was given is not shown, as it may hold a secret.',
    );
  }
  if (typeof bucket === 'string') {
    if (isInHost(url.hostname, bucket, forcePathStyle === true)) {
      throw withBucket(
        'leave it out at the beginning of the host. Where the host only has the same name, set forcePathStyle: true',
      );
    }
    if (isInPath(url.pathname, bucket)) {
      throw withBucket(
        'leave it out at the end of the path. Where the path only has the same name, give a client of your own',
      );
    }
  }
  return given as string;
}

/** A store may have a host of the same name, and then the bucket is in the path; those of AWS have not. */
function isInHost(host: string, bucket: string, isSaidToBeInPath: boolean): boolean {
  if (bucket === '' || isIP(host) !== 0 || !host.startsWith(`${bucket.toLowerCase()}.`)) return false;
  const rest = host.slice(bucket.length + 1);
  return /^s3[.-].*amazonaws\.com(\.cn)?$/.test(rest) || (!isSaidToBeInPath && rest.includes('.'));
}

function isInPath(path: string, bucket: string): boolean {
  return path.split('/').filter(Boolean).at(-1) === bucket;
}

function withBucket(advice: string): OptionError {
  return new OptionError(
    'endpoint',
    'the URL of the store without the bucket',
    'one with it',
    `Each request adds the bucket: ${advice}.`,
  );
}

/** A bucket by its name, or its ARN. */
export function checkBucketName(bucket: unknown): void {
  if (typeof bucket !== 'string' || !bucket.includes('/') || bucket.startsWith('arn:')) return;
  throw new OptionError(
    'bucket',
    'the name of a bucket alone, or its ARN',
    typeof bucket,
    "Of s3://logs/2026/ it is 'logs', and '2026/' is a prefix.",
  );
}

/** A key may begin with anything; but of nobody's keys is a URL of S3 meant to be the beginning. */
export function checkPrefix(prefix: string): string {
  if (!AS_URL.test(prefix)) return prefix;
  throw new OptionError(
    'prefix',
    'the beginning of keys, without the bucket',
    typeof prefix,
    "Instead of s3://logs/2026/ write bucket: 'logs', prefix: '2026/'.",
  );
}
