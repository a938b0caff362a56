/** The keys of the objects of a sink: `out/{by}/{sequence}.ndjson.gz`, or a function of the part. */

import { OptionError } from '@streamweld/core/connector';
import { AS_URL } from './endpoint.ts';
import { S3Error } from './errors.ts';

/** What is known of an object when it is begun: what its key may be made of. */
export interface S3Part {
  /** Counts the objects of this sink, on across restarts; none comes twice, and some may be left out. */
  readonly sequence: number;
  /** What `by` says of its items; empty without. */
  readonly by: string;
  /** Where it is written exactly once, and its items are of one lane. */
  readonly lane: string | undefined;
  /** Where it is written exactly once: the positions before its items, by lane; none where a lane begins. */
  readonly first: ReadonlyMap<string, unknown>;
  /** The positions after its items. */
  readonly positions: ReadonlyMap<string, unknown>;
  readonly openedAt: Date;
}

export type S3Key = string | ((part: S3Part) => string);

/** So that keys sort as numbers do, in any number that will be reached. */
const DIGITS = 10;
const LONGEST_KEY = 1024;

/** @throws OptionError */
export function makeKeyRule(key: S3Key, hasBy: boolean, stage: string): (part: S3Part) => string {
  const make = typeof key === 'function' ? key : parseTemplate(key, hasBy);
  return (part) => checkKey(make(part), stage);
}

function parseTemplate(template: string, hasBy: boolean): (part: S3Part) => string {
  if (AS_URL.test(template)) {
    throw new OptionError(
      'key',
      'a key, without the bucket',
      template,
      "Instead of s3://logs/2026/{sequence} write bucket: 'logs', key: '2026/{sequence}'.",
    );
  }
  const pieces = [...template.matchAll(/\{\{|\}\}|\{[^{}]*\}|[^{}]+|[{}]/g)].map(([token]) => token);
  const names = pieces.filter((token) => /^\{[^{]|^[{}]$/.test(token));
  if (names.some((name) => name !== '{sequence}' && name !== '{by}')) {
    throw new OptionError(
      'key',
      'a key with {sequence} or {by}',
      template,
      'A brace that is meant as such is doubled: {{ or }}.',
    );
  }
  if (!names.includes('{sequence}')) {
    throw new OptionError('key', 'a key with {sequence}', template, 'Each object needs a key of its own.');
  }
  if (!names.includes('{by}') && hasBy) {
    throw new OptionError(
      'key',
      'a key with {by} where there is a by',
      template,
      'Objects that are open at the same time need keys of their own.',
    );
  }
  if (names.includes('{by}') && !hasBy) {
    throw new OptionError('key', 'a key without {by} where there is no by', template, 'Give by as well.');
  }
  return ({ sequence, by }) =>
    pieces
      .map((token) => {
        if (token === '{sequence}') return String(sequence).padStart(DIGITS, '0');
        if (token === '{by}') return by;
        return token === '{{' || token === '}}' ? (token[0] as string) : token;
      })
      .join('');
}

function checkKey(key: unknown, stage: string): string {
  const bytes = typeof key === 'string' ? Buffer.byteLength(key) : 0;
  // What is half a character would become another key.
  if (typeof key === 'string' && bytes > 0 && bytes <= LONGEST_KEY && !/\p{Surrogate}/u.test(key)) return key;
  const what = typeof key !== 'string' ? `is of type ${typeof key}` : bytes === 0 ? 'is empty' : undefined;
  throw new S3Error(
    'SW_S3_KEY_INVALID',
    `The key of an object ${what ?? (bytes > LONGEST_KEY ? `has ${bytes} bytes` : 'holds half a character')}: it is text of 1 to ${LONGEST_KEY} bytes. Look at key, and at what by answers.`,
    { stage },
  );
}
