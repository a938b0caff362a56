/** Paths with placeholders: `out/{country}/{day}.csv`. What an item says becomes one name of a path, and no more. */

import { dirname } from 'node:path';
import { OptionError } from '@streamweld/core/connector';
import { FileError } from './errors.ts';
import { MARK } from './sink-path.ts';

/** A path as it was given, understood. */
export interface Template {
  /** The path up to the first field, to the end if there is none; the number of a part is marked. */
  readonly prefix: string;
  /** All of it, with the number of a part marked, and something in place of each field. */
  readonly pattern: string;
  /** Answers the path of an item; none where all items go to the same. */
  readonly route: ((item: unknown) => string) | undefined;
  /** The folder that all paths are in. */
  readonly folder: string;
}

/** What Windows takes for a device, whatever ending it has: on no system, so that the same items give the same files. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;
/** Names are bound at 255 bytes, and there is more to a name than one value. */
const LONGEST_VALUE = 200;

export function parseTemplate(path: string): Template {
  const literals: string[] = [''];
  const fields: string[] = [];
  let isMarked = false;
  for (const [token] of path.matchAll(/\{\{|\}\}|\{[^{}]*\}|[^{}]+|[{}]/g)) {
    const last = literals.length - 1;
    if (token === '{{' || token === '}}') literals[last] += token[0] as string;
    else if (token === '{' || token === '}' || token === '{}') throw misspelt(path);
    else if (token === '{sequence}') {
      if (isMarked) throw misspelt(path);
      isMarked = true;
      literals[last] += MARK;
    } else if (token.startsWith('{')) {
      fields.push(token.slice(1, -1));
      literals.push('');
    } else literals[last] += token;
  }
  const [prefix] = literals as [string];
  if (fields.length === 0) return { prefix, pattern: prefix, route: undefined, folder: dirname(prefix) };
  const steps = fields.map((field) => field.split('.'));
  if (steps.some((keys) => keys.includes(''))) throw misspelt(path);
  const route = (item: unknown): string => {
    let text = prefix;
    for (let at = 0; at < fields.length; at += 1) {
      const value = valueOf(item, steps[at] as string[], fields[at] as string);
      if (value.startsWith('.') && /(^|[\\/])$/.test(text)) {
        throw refused(fields[at] as string, 'begins with a dot, so that the file would be hidden');
      }
      text += value + (literals[at + 1] as string);
    }
    return text;
  };
  return { prefix, pattern: literals.join('x'), route, folder: dirname(`${prefix}x`) };
}

function valueOf(item: unknown, keys: readonly string[], field: string): string {
  let value = item;
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) {
      throw refused(field, 'is missing');
    }
    value = (value as Record<string, unknown>)[key];
  }
  switch (typeof value) {
    case 'string':
      return checkName(value, field);
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      throw refused(field, 'is no string, number, bigint or boolean');
  }
}

function checkName(value: string, field: string): string {
  if (value === '') throw refused(field, 'is empty');
  if (value === '..' || /[\\/]/.test(value)) {
    throw new FileError(
      'SW_FILE_PATH_ESCAPES',
      `The field '${field}' would lead to another folder: a value becomes one name of a path. Replace what separates folders.`,
    );
  }
  if (value === '.' || value.includes('\0')) throw refused(field, 'is no name that a file can have');
  if (DEVICES.test(value)) throw refused(field, 'is the name of a device on Windows');
  if (Buffer.byteLength(value) > LONGEST_VALUE) throw refused(field, `is longer than ${LONGEST_VALUE} bytes`);
  return value;
}

function refused(field: string, why: string): FileError {
  return new FileError('SW_FILE_PATH_INVALID', `The field '${field}', which names its file, ${why}.`);
}

function misspelt(path: string): OptionError {
  return new OptionError(
    'path',
    'a path with {field} or {sequence}, the latter once',
    path,
    'A brace that is meant as such is doubled: {{ or }}.',
  );
}
