/** What a batch is to the server: COPY, INSERT of columns, or an upsert; made whole before anything is sent. */

import type { Session } from './client.ts';
import { PostgresError } from './errors.ts';
import { quoteIdentifier } from './identifiers.ts';
import type { CheckedSinkOptions } from './options.ts';
import { FieldBytes } from './sink-field-bytes.ts';
import { roundsOf } from './sink-rounds.ts';
import { type Group, type Indexed, Rows } from './sink-rows.ts';
import type { Table, TableColumn } from './sink-table.ts';

/** Sends itself, on a session that may be in a transaction. */
export type Statement = (session: Session) => Promise<void>;

/** The parameters of a statement hold about so many bytes. A text of JavaScript holds some 500 million characters. */
const MOST_BYTES = 1 << 25;

export class Statements<T> {
  readonly #table: Table;
  readonly #options: CheckedSinkOptions<T>;
  readonly #rows: Rows<T>;
  /** What copies that are over wrote into: to make it anew for each costs more than many rows. */
  readonly #spare: FieldBytes[] = [];
  #arrays: readonly FieldBytes[] = [];
  /** Keys differ as texts that are one to the server (`1.0` and `1.00`): it looks for them itself. */
  areKeysLookedFor = false;
  /** Whether it is known at the end of a statement only whether all of it was written: then even one has to be undone. */
  readonly isUndone: boolean;

  constructor(table: Table, options: CheckedSinkOptions<T>) {
    this.#table = table;
    this.#options = options;
    this.#rows = new Rows(table, options);
    // COPY alone tells. Not in a transaction for all: of small writes that takes half as long again.
    this.isUndone = options.mode === 'copy' && table.hasRowTriggers;
  }

  /** @throws PostgresRowError for the first item that cannot be a row. */
  make(batch: Indexed<T>): readonly Statement[] {
    const { mode, isDelete } = this.#options;
    if (mode === 'copy') return this.#rows.group(batch).map((group) => this.#copy(group));
    if (mode === 'insert') return this.#rows.group(batch).flatMap((group) => this.#insert(group, ''));
    return [...roundsOf(batch, this.#rows, isDelete, this.#table.refersToItself)].flatMap(
      ({ kept, removed }) => {
        const statements = this.#rows
          .group(kept)
          .flatMap((group) => this.#insert(group, this.#onConflict(group)));
        // First what goes: a row that comes may take the place of one in another unique index.
        return removed.items.length === 0 ? statements : [...this.#delete(removed), ...statements];
      },
    );
  }

  #copy(group: Group<T>): Statement {
    const { shape, from, to } = group;
    const sql = `copy ${this.#table.name} (${listOf(shape.columns)}) from stdin`;
    return async (session) => {
      const taken = await session.copyIn(sql, this.#lines(group));
      if (taken === to - from) return;
      const { name, table } = this.#options;
      throw new PostgresError(
        'SW_POSTGRES_TABLE_INVALID',
        `COPY took ${taken} of ${to - from} rows: a trigger of the table ${this.#table.name} left the others out. Where it is meant to, write with mode: 'insert'.`,
        { stage: name, table: table.table },
      );
    };
  }

  *#lines(group: Group<T>): Generator<Uint8Array> {
    const text = this.#spare.pop() ?? FieldBytes.ofCopy();
    const columns = group.shape.columns.map(() => text);
    for (let index = group.from; index < group.to; index++) {
      this.#rows.putRow(group, index, columns);
      text.endRow();
      if (text.isFull) yield text.takeMessage();
    }
    if (!text.isEmpty) yield text.takeMessage();
    // Nobody goes on to here unless all of it was handed on.
    if (!text.isLarge) this.#spare.push(text);
  }

  #insert(group: Group<T>, onConflict: string): readonly Statement[] {
    const { columns } = group.shape;
    const { key } = this.#options;
    const keys = columns.flatMap((column, at) => (key.includes(column.name) ? [keyOf(column, at)] : []));
    const isSorted = onConflict !== '' && this.areKeysLookedFor && keys.length === key.length;
    // A null is no other's equal.
    const order = [...keys, `case when num_nulls(${keys.join(', ')}) > 0 then u.at end`].join(', ');
    // The last of each key, and each in its own place: rows before it may have freed what another unique index needs.
    const from = isSorted
      ? `(select distinct on (${order}) u.* from ${unnest(columns, true)} order by ${order}, u.at desc) as u order by u.at`
      : unnest(columns);
    const values = columns.map(castOf).join(', ');
    const sql = `insert into ${this.#table.name} (${listOf(columns)}) select ${values} from ${from}${onConflict}`;
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

  #delete(removed: Indexed<T>): readonly Statement[] {
    const shape = this.#rows.keyShape();
    const { columns } = shape;
    const same = columns.map((column, at) => `t.${quoteIdentifier(column.name)} = ${keyOf(column, at)}`);
    const sql = `delete from ${this.#table.name} as t using ${unnest(columns)} where ${same.join(' and ')}`;
    return this.#query(sql, { ...removed, shape, from: 0, to: removed.items.length });
  }

  /** Statements with a parameter for each column: an array of its texts. One, unless the texts are very long. */
  #query(sql: string, group: Group<T>): readonly Statement[] {
    const statements: Statement[] = [];
    const arrays = this.#emptyArrays(group.shape.columns.length);
    const send = (): void => {
      const values = arrays.map((array) => array.takeArray());
      statements.push(async (session) => {
        await session.query(sql, values);
      });
    };
    for (let index = group.from; index < group.to; index++) {
      this.#rows.putRow(group, index, arrays);
      if (arrays.reduce((sum, { length }) => sum + length, 0) > MOST_BYTES && index + 1 < group.to) send();
    }
    send();
    this.#arrays = arrays.filter((array) => !array.isLarge);
    return statements;
  }

  /** The same for each batch: what they hold is made a text before anything waits. */
  #emptyArrays(count: number): readonly FieldBytes[] {
    const arrays = Array.from({ length: count }, (_, at) => this.#arrays[at] ?? FieldBytes.ofArray());
    for (const array of arrays) array.clear();
    return arrays;
  }
}

function listOf(columns: readonly TableColumn[]): string {
  return columns.map(({ name }) => quoteIdentifier(name)).join(', ');
}

/**
 * Values, a column each. Those of an array's column are texts, which `castOf` reads: an array of arrays would be unnested to
 * one level.
 */
function unnest(columns: readonly TableColumn[], isNumbered = false): string {
  const parameters = columns.map(({ element }, at) => `$${at + 1}::${element}[]`);
  const names = columns.map((_, at) => `c${at}`);
  return isNumbered
    ? `unnest(${parameters.join(', ')}) with ordinality as u(${names.join(', ')}, at)`
    : `unnest(${parameters.join(', ')}) as u(${names.join(', ')})`;
}

function castOf({ type }: TableColumn, at: number): string {
  return `u.c${at}::${type}`;
}

function keyOf({ compared }: TableColumn, at: number): string {
  return `u.c${at}::${compared}`;
}
