/** What a batch is to the server: COPY, INSERT of columns, or an upsert; made whole before anything is sent. */

import type { Session } from './client.ts';
import { quoteIdentifier } from './identifiers.ts';
import type { CheckedSinkOptions } from './options.ts';
import { type Group, type Indexed, indexOf, Rows } from './sink-rows.ts';
import type { Table, TableColumn } from './sink-table.ts';
import { copyField, quoted, toBytes } from './sink-values.ts';

/** Sends itself, on a session that may be in a transaction. */
export type Statement = (session: Session) => Promise<void>;

/** Text is sent in pieces of this many characters. */
const CHUNK = 1 << 16;

export class Statements<T> {
  readonly #table: Table;
  readonly #options: CheckedSinkOptions<T>;
  readonly #rows: Rows<T>;

  constructor(table: Table, options: CheckedSinkOptions<T>) {
    this.#table = table;
    this.#options = options;
    this.#rows = new Rows(table, options);
  }

  /** @throws PostgresRowError for the first item that cannot be a row. */
  make(batch: Indexed<T>): readonly Statement[] {
    const { mode } = this.#options;
    if (mode === 'copy') return this.#rows.group(batch).map((group) => this.#copy(group));
    if (mode === 'insert') return this.#rows.group(batch).map((group) => this.#insert(group, ''));
    const { kept, removed } = this.#lastOfEachKey(batch);
    const statements = this.#rows.group(kept).map((group) => this.#insert(group, this.#onConflict(group)));
    return removed.items.length === 0 ? statements : [...statements, this.#delete(removed)];
  }

  #copy(group: Group<T>): Statement {
    const { shape, from, to } = group;
    const chunks: Uint8Array[] = [];
    let text = '';
    const width = shape.columns.length;
    for (let index = from; index < to; index++) {
      for (let column = 0; column < width; column++) {
        if (column > 0) text += '\t';
        text += copyField(this.#rows.field(group, index, column));
      }
      text += '\n';
      if (text.length >= CHUNK) {
        chunks.push(toBytes(text));
        text = '';
      }
    }
    if (text !== '') chunks.push(toBytes(text));
    const sql = `copy ${this.#table.name} (${listOf(shape.columns)}) from stdin`;
    return (session) => session.copyIn(sql, chunks, to - from);
  }

  #insert(group: Group<T>, onConflict: string): Statement {
    const { columns } = group.shape;
    const sql =
      `insert into ${this.#table.name} (${listOf(columns)}) ` +
      `select ${columns.map(castOf).join(', ')} from ${unnest(columns)}${onConflict}`;
    return this.#query(sql, group);
  }

  #onConflict({ shape }: Group<T>): string {
    const { key } = this.#options;
    const others = shape.columns
      .filter(({ name }) => !key.includes(name))
      .map(({ name }) => quoteIdentifier(name));
    const set = others.map((name) => `${name} = excluded.${name}`).join(', ');
    return ` on conflict (${key.map(quoteIdentifier).join(', ')}) do ${set === '' ? 'nothing' : `update set ${set}`}`;
  }

  #delete(removed: Indexed<T>): Statement {
    const shape = this.#rows.keyShape();
    const { columns } = shape;
    const same = columns.map((column, at) => `t.${quoteIdentifier(column.name)} = ${castOf(column, at)}`);
    const sql = `delete from ${this.#table.name} as t using ${unnest(columns)} where ${same.join(' and ')}`;
    return this.#query(sql, { ...removed, shape, from: 0, to: removed.items.length });
  }

  /** A statement with a parameter for each column: an array of its texts. */
  #query(sql: string, group: Group<T>): Statement {
    const arrays = group.shape.columns.map((_, column) => {
      const texts: string[] = [];
      for (let index = group.from; index < group.to; index++) {
        const text = this.#rows.field(group, index, column);
        texts.push(text === null ? 'NULL' : quoted(text));
      }
      return `{${texts.join(',')}}`;
    });
    return async (session) => {
      await session.query(sql, arrays);
    };
  }

  /** What is left to do of a batch in which keys come again: the last of each wins. */
  #lastOfEachKey(batch: Indexed<T>): { readonly kept: Indexed<T>; readonly removed: Indexed<T> } {
    const { isDelete } = this.#options;
    const { items } = batch;
    const keys: Group<T> = { ...batch, shape: this.#rows.keyShape(), from: 0, to: items.length };
    const last = new Map<string, number>();
    for (let index = 0; index < items.length; index++) {
      const texts = keys.shape.columns.map((_, column) => this.#rows.field(keys, index, column));
      last.set(texts.length === 1 ? (texts[0] ?? '') : JSON.stringify(texts), index);
    }
    const indexes = [...last.values()];
    const pick = (chosen: readonly number[]): Indexed<T> =>
      chosen.length === items.length
        ? batch
        : {
            items: chosen.map((index) => items[index] as T),
            at: chosen.map((index) => indexOf(batch, index)),
          };
    if (isDelete === undefined) return { kept: pick(indexes), removed: { items: [], at: [] } };
    const isRemoved = indexes.map((index) => isDelete(items[index] as T));
    return {
      kept: pick(indexes.filter((_, at) => isRemoved[at] === false)),
      removed: pick(indexes.filter((_, at) => isRemoved[at] === true)),
    };
  }
}

function listOf(columns: readonly TableColumn[]): string {
  return columns.map(({ name }) => quoteIdentifier(name)).join(', ');
}

/** Texts, a column each, which `castOf` reads as what they are: an array of arrays would be unnested to one level. */
function unnest(columns: readonly TableColumn[]): string {
  const parameters = columns.map((_, at) => `$${at + 1}::text[]`);
  return `unnest(${parameters.join(', ')}) as u(${columns.map((_, at) => `c${at}`).join(', ')})`;
}

function castOf({ type }: TableColumn, at: number): string {
  return `u.c${at}::${type}`;
}
