/**
 * A batch as rows for one table: which columns, in which text.
 *
 *     items ─► groups of items that have the same columns, in order ─► statements
 *
 * A statement names its columns, and what it does not name gets its default; so items with other properties are another
 * statement of the same transaction.
 */

import { describe } from '@streamweld/core/connector';
import { type PostgresErrorCode, PostgresRowError } from './errors.ts';
import type { CheckedSinkOptions, ColumnValue } from './options.ts';
import type { FieldBytes } from './sink-field-bytes.ts';
import type { Table, TableColumn } from './sink-table.ts';
import { type Encode, encoderOf, rowError } from './sink-values.ts';

/** What the items of a group have in common. */
export interface Shape<T> {
  readonly columns: readonly TableColumn[];
  readonly values: readonly ColumnValue<T>[];
  readonly encoders: readonly Encode[];
}

/** Items, each with its index in the batch of the write, for errors. */
export interface Indexed<T> {
  readonly items: readonly T[];
  /** Undefined where they are the whole batch. */
  readonly at: readonly number[] | undefined;
}

/** The items from `from` to, not including, `to`. */
export interface Group<T> extends Indexed<T> {
  readonly shape: Shape<T>;
  readonly from: number;
  readonly to: number;
}

export function indexOf({ at }: { readonly at: readonly number[] | undefined }, index: number): number {
  return at === undefined ? index : (at[index] as number);
}

/** So many are remembered. */
const MOST_SHAPES = 1000;

export class Rows<T> {
  readonly #table: Table;
  readonly #options: CheckedSinkOptions<T>;
  /** By the names of the properties, in their order. */
  readonly #shapes = new Map<string, Shape<T>>();
  readonly #fixed: Shape<T> | undefined;
  #last: { readonly names: readonly string[]; readonly shape: Shape<T> } | undefined;

  constructor(table: Table, options: CheckedSinkOptions<T>) {
    this.#table = table;
    this.#options = options;
    const { columns } = options;
    this.#fixed =
      columns === undefined ? undefined : this.#shapeOf([...columns.keys()], [...columns.values()]);
  }

  /** @throws PostgresRowError that names the items which are no objects, or have a property that is no column. */
  group({ items, at }: Indexed<T>): readonly Group<T>[] {
    const fixed = this.#fixed;
    if (fixed !== undefined)
      return items.length === 0 ? [] : [{ items, at, shape: fixed, from: 0, to: items.length }];
    const groups: Group<T>[] = [];
    let shape: Shape<T> | undefined;
    let from = 0;
    for (let index = 0; index < items.length; index++) {
      const next = this.#shapeAt(items[index], indexOf({ at }, index));
      if (next === shape) continue;
      if (shape !== undefined) groups.push({ items, at, shape, from, to: index });
      shape = next;
      from = index;
    }
    if (shape !== undefined) groups.push({ items, at, shape, from, to: items.length });
    return groups;
  }

  /** Whether an item names every column that another does, so that nothing of that one is left when both are written. */
  covers(item: T, other: T): boolean {
    if (this.#fixed !== undefined) return true;
    return Object.keys(Object(other)).every((name) => Object.hasOwn(Object(item), name));
  }

  #shapeAt(item: unknown, index: number): Shape<T> {
    const last = this.#last;
    // Nearly every item is like the one before it, which is seen without making anything.
    if (last !== undefined && hasNames(item, last.names)) return last.shape;
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      throw this.#refused(
        index,
        `it is ${describe(item)}, and a row is an object. The option columns says what to take`,
      );
    }
    const names = Object.keys(item);
    const id = JSON.stringify(names);
    let shape = this.#shapes.get(id);
    if (shape === undefined) {
      const unknown = names.find((name) => !this.#table.columns.has(name));
      if (unknown !== undefined) {
        throw this.#refused(
          index,
          `its property ${describe(unknown)} is no column of ${this.#table.name} that can be written. The option columns says what to take`,
          'SW_POSTGRES_COLUMN_UNKNOWN',
        );
      }
      if (names.length === 0) throw this.#refused(index, 'it has no property');
      shape = this.#shapeOf(names, names);
      // Items may be of endless kinds.
      if (this.#shapes.size >= MOST_SHAPES) this.#shapes.clear();
      this.#shapes.set(id, shape);
    }
    this.#last = { names, shape };
    return shape;
  }

  #shapeOf(names: readonly string[], values: readonly ColumnValue<T>[]): Shape<T> {
    const columns = names.map((name) => this.#table.columns.get(name) as TableColumn);
    return { columns, values, encoders: columns.map((column) => encoderOf(column, this.#options.json)) };
  }

  #refused(index: number, why: string, code?: PostgresErrorCode): PostgresRowError {
    const { name, table } = this.#options;
    return new PostgresRowError(
      `Row ${index} of the batch cannot be written: ${why}.`,
      [index],
      { stage: name, table: table.table },
      code,
    );
  }

  /**
   * The text of one column of one item of the group.
   * @throws PostgresRowError that names row and column.
   */
  field(group: Group<T>, index: number, column: number): string | null {
    const { shape, items } = group;
    const value = shape.values[column] as ColumnValue<T>;
    const item = items[index] as T;
    try {
      return (shape.encoders[column] as Encode)(
        typeof value === 'string' ? (item as Record<string, unknown>)[value] : value(item),
      );
    } catch (error) {
      const { name } = shape.columns[column] as TableColumn;
      throw rowError(error, indexOf(group, index), name, this.#options.name);
    }
  }

  /**
   * One item of the group, each column to one of these.
   * @throws PostgresRowError that names row and column.
   */
  putRow({ shape, items, at }: Group<T>, index: number, into: readonly FieldBytes[]): void {
    const { values, encoders } = shape;
    const item = items[index] as T;
    let column = 0;
    try {
      for (; column < values.length; column++) {
        const value = values[column] as ColumnValue<T>;
        (into[column] as FieldBytes).put(
          typeof value === 'string' ? (item as Record<string, unknown>)[value] : value(item),
          encoders[column] as Encode,
        );
      }
    } catch (error) {
      const { name } = shape.columns[column] as TableColumn;
      throw rowError(error, indexOf({ at }, index), name, this.#options.name);
    }
  }

  /** The key of an item, as a shape of its own. */
  keyShape(): Shape<T> {
    const { key, columns } = this.#options;
    return this.#shapeOf(
      key,
      key.map((name) => columns?.get(name) ?? name),
    );
  }
}

function hasNames(item: unknown, names: readonly string[]): boolean {
  if (typeof item !== 'object' || item === null) return false;
  let at = 0;
  for (const name in item) if (name !== names[at++]) return false;
  return at === names.length;
}
