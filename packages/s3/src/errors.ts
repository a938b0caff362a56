/** What can go wrong with an object store, as errors of ours: the one table of codes. What is in an object is in no message. */

import { isStreamWeldError, StreamWeldError } from '@streamweld/core/connector';

/** The one table of codes of this package. */
export const S3_ERROR_CODES = {
  SW_S3_UNREACHABLE: 'No store could be reached.',
  SW_S3_DENIED: 'The store refused the user, or what the user wanted to do.',
  SW_S3_CONNECTION_LOST: 'A connection ended, or went silent, while it was in use.',
  SW_S3_BUSY: 'The store could not do it now, and may be able to later.',
  SW_S3_BUCKET_UNKNOWN: 'A bucket is not there.',
  SW_S3_OBJECT_MISSING: 'An object is not there, or not any more.',
  SW_S3_OBJECT_CHANGED: 'An object is not the one that it was.',
  SW_S3_OBJECT_EXISTS: 'There is an object where a new one should be.',
  SW_S3_OBJECT_CORRUPT: 'What arrived is not what was stored.',
  SW_S3_UPLOAD_MISSING: 'An upload is not open any more.',
  SW_S3_KEY_INVALID: 'No object can have such a key, or none here.',
  SW_S3_KEY_REPEATED: 'A sink made the same key for two of its objects.',
  SW_S3_POSITION_INVALID: 'What is to be resumed from is no position of this source.',
  SW_S3_LEDGER_DAMAGED: 'The ledger of a sink cannot be used.',
  SW_S3_LEDGER_OCCUPIED: 'The ledger of a sink belongs to another sink, or to another checkpoint.',
  SW_S3_LEDGER_MISSING: 'The ledger of a sink is not there any more.',
  SW_S3_LEDGER_UNNAMED: 'Nothing tells a sink, and its ledger, from others.',
  SW_S3_UNSUPPORTED: 'The store cannot do what is asked of it.',
  SW_S3_FAILED: 'The store or the client failed in a way that has no code of its own here.',
} as const;

export type S3ErrorCode = keyof typeof S3_ERROR_CODES;

export interface S3ErrorDetails {
  /** The name of the source or sink. */
  readonly stage?: string | undefined;
  readonly cause?: unknown;
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
  /** The store's own name for it: `SlowDown`. */
  readonly s3Error?: string | undefined;
  readonly status?: number | undefined;
  /** The same again may succeed. */
  readonly isTransient?: boolean | undefined;
}

/** A failure that the store, or the way there, is the cause of. */
export class S3Error extends StreamWeldError {
  override readonly name: string = 'S3Error';
  /** Whether the same again may succeed. It is not called `retryable`: that would blame the items of a write. */
  readonly isTransient: boolean;
  readonly bucket: string | undefined;
  readonly key: string | undefined;
  readonly s3Error: string | undefined;
  readonly status: number | undefined;

  constructor(code: S3ErrorCode, message: string, details: S3ErrorDetails = {}) {
    const { bucket, key, s3Error, status, stage } = details;
    const told = Object.entries({ bucket, key, s3Error, status }).filter(([, value]) => value !== undefined);
    super(code, message, {
      stage,
      details: told.length === 0 ? undefined : Object.fromEntries(told),
      ...('cause' in details ? { cause: details.cause } : undefined),
    });
    this.isTransient = details.isTransient ?? false;
    this.bucket = bucket;
    this.key = key;
    this.s3Error = s3Error;
    this.status = status;
  }

  /** The same, which also says how long it was tried. */
  after(attempts: number, ms: number): S3Error {
    const tried = `It was tried ${attempts} times, for ${Math.round(ms / 1000)} s.`;
    return this.#copy(`${this.message} ${tried}`, this.stage);
  }

  /** The same, which also says of which source or sink it is; one that says it is itself. */
  at(stage: string | undefined): S3Error {
    return stage === undefined || this.stage !== undefined ? this : this.#copy(this.message, stage);
  }

  #copy(message: string, stage: string | undefined): S3Error {
    const { code, bucket, key, s3Error, status, isTransient, cause } = this;
    const details = { stage, bucket, key, s3Error, status, isTransient };
    return new S3Error(code as S3ErrorCode, message, cause === undefined ? details : { ...details, cause });
  }
}

/** Whether the same again may succeed. What is of nobody we know is not tried again. */
export function isTransient(error: unknown): boolean {
  return (error as Partial<S3Error> | null | undefined)?.isTransient === true;
}

export function hasCode(error: unknown, code: S3ErrorCode): boolean {
  return isStreamWeldError(error) && error.code === code;
}
