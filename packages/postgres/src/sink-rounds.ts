/**
 * In which order the items of an upsert are written and deleted, so that they leave what they leave one by one:
 *
 *     items ─► rounds, each: first delete these keys, then write these rows, each key once
 *
 * What cannot go into a round any more begins the next.
 */

import { type Group, type Indexed, indexOf, type Rows } from './sink-rows.ts';
import type { TableColumn } from './sink-table.ts';
import { isPromise, letGo } from './sink-values.ts';

/** What is deleted, and what is written then. */
export interface Round<T> {
  readonly kept: Indexed<T>;
  readonly removed: Indexed<T>;
}

interface Key {
  /** The same for items that are known to have one key. */
  readonly id: string;
  /** Whether no key with another `id` is the same to the server. */
  readonly isSure: boolean;
}

/**
 * The last of each key wins. Another round begins where that leaves out a column which an earlier one names: that one has to
 * be written before; and where what is deleted may be a row of this round, whose key is spelt otherwise.
 * @param inOrder Nothing is deleted before what was written before it: rows that no longer refer to it are not to go with it.
 * @throws PostgresRowError for a key that cannot be, and for what is to be deleted and has none.
 */
export function* roundsOf<T>(
  batch: Indexed<T>,
  rows: Rows<T>,
  isDelete: ((item: T) => boolean) | undefined,
  inOrder: boolean,
): Generator<Round<T>> {
  const { items } = batch;
  const keys: Group<T> = { ...batch, shape: rows.keyShape(), from: 0, to: items.length };
  const kept = new Map<string, number>();
  const removed = new Map<string, number>();
  let isSure = true;
  const round = (): Round<T> => ({ kept: pick(batch, kept), removed: pick(batch, removed) });
  const clear = (): void => {
    kept.clear();
    removed.clear();
    isSure = true;
  };
  for (let index = 0; index < items.length; index++) {
    const key = keyAt(keys, index, rows);
    if (isDelete !== undefined && isDeleted(batch, index, rows, isDelete)) {
      if (key === undefined) throw rows.refused(indexOf(batch, index), withoutKey(keys, index, rows));
      kept.delete(key.id);
      if (kept.size > 0 && (inOrder || !isSure || !key.isSure)) {
        yield round();
        clear();
      }
      removed.set(key.id, index);
      continue;
    }
    // A null is no other's equal. No text holds NUL, so it begins what is like no key.
    const id = key?.id ?? `\0${index}`;
    const earlier = kept.get(id);
    if (earlier !== undefined && !rows.covers(batch, index, earlier)) {
      yield round();
      clear();
    }
    // What was deleted before goes all the same: a row that leaves out columns is not to find what it had there. And it has
    // its own place, not that of the earlier one: rows in between may have freed what another unique index needs.
    if (earlier !== undefined) kept.delete(id);
    kept.set(id, index);
    isSure &&= key?.isSure !== false;
  }
  yield round();
}

/** Undefined where it has a null. */
function keyAt<T>(keys: Group<T>, index: number, rows: Rows<T>): Key | undefined {
  const { columns } = keys.shape;
  let isSure = true;
  const texts: string[] = [];
  for (let at = 0; at < columns.length; at++) {
    const text = rows.field(keys, index, at);
    if (text === null) return undefined;
    const spelt = onlySpelling(columns[at] as TableColumn, text);
    isSure &&= spelt !== undefined;
    texts.push(spelt ?? text);
  }
  return { id: texts.length === 1 ? (texts[0] as string) : JSON.stringify(texts), isSure };
}

function isDeleted<T>(
  batch: Indexed<T>,
  index: number,
  rows: Rows<T>,
  isDelete: (item: T) => boolean,
): boolean {
  let answer: unknown;
  try {
    answer = isDelete(batch.items[index] as T);
  } catch (error) {
    const why = 'the option delete threw for it; what it threw is the cause';
    throw rows.refused(indexOf(batch, index), why, { cause: error });
  }
  if (!isPromise(answer)) return answer === true;
  letGo(answer);
  throw rows.refused(
    indexOf(batch, index),
    'the option delete answered a promise, and it has to answer at once',
  );
}

function withoutKey<T>(keys: Group<T>, index: number, rows: Rows<T>): string {
  const column = keys.shape.columns.find((_, at) => rows.field(keys, index, at) === null);
  return `its column ${JSON.stringify(column?.name)} is null or missing, and by such a key nothing would be deleted`;
}

/** One text for all that the server takes for the same value; undefined where that is not known. */
function onlySpelling({ spelling }: TableColumn, text: string): string | undefined {
  switch (spelling) {
    case 'exact':
      // A `varchar(3)` cuts off spaces.
      return text.endsWith(' ') ? undefined : text;
    case 'integer': {
      if (/^(?:0|-?[1-9]\d*)$/.test(text)) return text;
      const digits = /^\s*([+-]?\d+)(?:\.0*)?\s*$/.exec(text)?.[1];
      return digits === undefined ? undefined : String(BigInt(digits));
    }
    case 'uuid': {
      const digits = text.toLowerCase().replaceAll(/[-{}]/g, '');
      return /^[0-9a-f]{32}$/.test(digits) ? digits : undefined;
    }
    default:
      return undefined;
  }
}

function pick<T>(batch: Indexed<T>, chosen: ReadonlyMap<string, number>): Indexed<T> {
  const { items } = batch;
  if (chosen.size === items.length) return batch;
  const indexes = [...chosen.values()];
  return {
    items: indexes.map((index) => items[index] as T),
    at: indexes.map((index) => indexOf(batch, index)),
  };
}
