/** An item as the words of an entry: field, value, field, value. */

import { WriteError } from '@streamweld/core/connector';
import type { FieldValue } from './options.ts';

/** The words of each item. @throws WriteError that names those which cannot be an entry, with `code` REDIS_ITEM_INVALID. */
export function toWords<T>(
  batch: readonly T[],
  fieldsOf: ((item: T) => Readonly<Record<string, FieldValue>>) | undefined,
  { stage, most }: { readonly stage: string; readonly most: number },
): string[][] {
  const words: string[][] = [];
  const failed: number[] = [];
  let why = '';
  let cause: { cause: unknown } | undefined;
  for (const [index, item] of batch.entries()) {
    try {
      const made = wordsOf(fieldsOf === undefined ? item : fieldsOf(item), most);
      if (typeof made !== 'string') {
        words.push(made);
        continue;
      }
      why ||= made;
    } catch (thrown) {
      // A function of the user's own: what it throws is for the user.
      why ||= 'the function that makes its fields threw';
      cause ??= { cause: thrown };
    }
    failed.push(index);
  }
  if (failed.length === 0) return words;
  const what = failed.length === 1 ? 'An item' : `${failed.length} items`;
  throw new ItemError(
    `${what} cannot be an entry of a stream: ${why}. Give the sink fields, or the pipeline a dead letter.`,
    {
      stage,
      failed,
      retryable: false,
      ...cause,
    },
  );
}

class ItemError extends WriteError {
  override readonly name: string = 'RedisItemError';
  override readonly code: string = 'REDIS_ITEM_INVALID';
}

/** The words, or why there are none; no value is in that. */
function wordsOf(fields: unknown, most: number): string[] | string {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    return 'it is no object of fields';
  const words: string[] = [];
  for (const [field, value] of Object.entries(fields)) {
    const isPlain =
      typeof value === 'string' ||
      typeof value === 'number' ||
      typeof value === 'bigint' ||
      typeof value === 'boolean';
    if (!isPlain) return 'a field is no string, number, bigint or boolean';
    const text = String(value);
    // Half of a surrogate pair would be stored as another character.
    if (/\p{Surrogate}/u.test(text) || /\p{Surrogate}/u.test(field))
      return 'a text in it is no well-formed Unicode';
    words.push(field, text);
  }
  if (words.length === 0) return 'it has no fields';
  if (words.length > most) return `it has more than ${most / 2} fields`;
  return words;
}
