/** What fails while an object is read, told so that it is known which, what became of it, and what to do. */

import { StreamWeldError } from '@streamweld/core/connector';
import { hasCode, S3Error } from './errors.ts';
import type { S3Position } from './position.ts';
import type { Leg } from './source-legs.ts';

/** As it is told to whoever pulls. An error of a format knows the record and the byte, and now the object. */
export function toldOf(error: unknown, { key, from }: Leg, bucket: string, stage: string): unknown {
  if (from !== undefined && isGone(error)) return cannotGoOn(error, from, bucket, stage);
  if (!(error instanceof StreamWeldError) || error instanceof S3Error) return error;
  return new StreamWeldError(error.code, `${key}: ${error.message}`, { stage, cause: error });
}

function isGone(error: unknown): error is S3Error {
  return hasCode(error, 'SW_S3_OBJECT_MISSING') || hasCode(error, 'SW_S3_OBJECT_CHANGED');
}

/** The object of a checkpoint is another, or none. */
function cannotGoOn(cause: S3Error, from: S3Position, bucket: string, stage: string): S3Error {
  const { key, record } = from;
  const isMissing = hasCode(cause, 'SW_S3_OBJECT_MISSING');
  return new S3Error(
    isMissing ? 'SW_S3_OBJECT_MISSING' : 'SW_S3_OBJECT_CHANGED',
    `Could not go on with key ${JSON.stringify(key)}: the checkpoint stands in it, behind item ${record}, and the object was ${isMissing ? 'deleted' : 'replaced'} since. Put it back with the content that it had; or begin anew, with a checkpoint of another name, and leave out by filter or keys what is not to be read again.`,
    { stage, bucket, key, s3Error: cause.s3Error, status: cause.status, cause },
  );
}

/** Whether items may have been made of bytes that were not those of the object. */
export function isOfDamage(error: unknown): boolean {
  return (
    hasCode(error, 'SW_S3_OBJECT_CORRUPT') ||
    (error instanceof StreamWeldError && error.code === 'SW_FORMAT_GZIP_INVALID')
  );
}

/** What came of an object turned out to be damaged, and a run is not to go on behind it as if nothing were. */
export function wasDamaged({ key }: S3Position, bucket: string, stage: string): S3Error {
  return new S3Error(
    'SW_S3_OBJECT_CORRUPT',
    `Could not resume in key ${JSON.stringify(key)}: the run before found that its bytes were damaged, on the way or in the store, and items of it that were written may be wrong. Take away what was written of this object, or all; then begin anew, with a checkpoint of another name.`,
    { stage, bucket, key },
  );
}
