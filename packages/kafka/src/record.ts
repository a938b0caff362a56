/** What a KafkaSource hands out, and how it becomes what it means. */

import { isThenable } from '@streamweld/core/connector';
import type { IncomingRecord } from './client.ts';

/** A record of a topic. `key` and `value` are null where there are none: a null value is a tombstone. */
export type KafkaRecord = IncomingRecord;

/** For `validate` of a flow. */
export interface RecordDecoder<T> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (record: unknown) => DecodedRecord<T> | Promise<DecodedRecord<T>>;
    readonly types?: { readonly input: KafkaRecord; readonly output: T } | undefined;
  };
}

export type DecodedRecord<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path: readonly (string | number)[] }[] };

/**
 * Makes a decoder of a function, which may throw: for `validate`, whose `onInvalid` says what becomes of a record that cannot
 * be decoded. The error names its topic, partition and offset, and not what is in it; the record itself is in the dead letter.
 *
 *     from(source).validate(decoding((record) => JSON.parse(text(record.value))), { onInvalid: 'deadLetter' })
 */
export function decoding<T>(decode: (record: KafkaRecord) => T | PromiseLike<T>): RecordDecoder<T> {
  return {
    '~standard': {
      version: 1,
      vendor: 'decoding',
      validate: (given) => {
        const record = given as KafkaRecord;
        try {
          const value = decode(record);
          return isThenable(value)
            ? Promise.resolve(value).then(
                (decoded) => ({ value: decoded }),
                () => refused(record),
              )
            : { value };
        } catch {
          return refused(record);
        }
      },
    },
  };
}

function refused({ topic, partition, offset }: KafkaRecord): DecodedRecord<never> {
  return { issues: [{ message: 'The record cannot be decoded.', path: [topic, partition, offset] }] };
}
