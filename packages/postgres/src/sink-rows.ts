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
import { type Encode, encoderOf, kindOf, rowError } from './sink-values.ts';

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

interface RefusalDetails {
  readonly code?: PostgresErrorCode;
  /** What the user's own code threw. */
  readonly cause?: unknown;
}

/** So many are remembered. */
const MOST_SHAPES = 1000;

/** The option `columns`. */
interface Given<T> {
  /** Of an item that has all of its properties. */
  readonly whole: Shape<T>;
  /** What columns are taken from without a function. An item that does not have one leaves out its column. */
  readonly properties: readonly string[];
  /** Those of them that every object has, such as `constructor`: only what is an item's own counts. */
  readonly common: readonly string[];
}

export class Rows<T> {
  readonly #table: Table;
  readonly #options: CheckedSinkOptions<T>;
  /** By the names of the properties, in their order; or of the columns, where the option `columns` says which. */
  readonly #shapes = new Map<string, Shape<T>>();
  readonly #given: Given<T> | undefined;
  #last:
    | { readonly names: readonly string[]; readonly prototype: unknown; readonly shape: Shape<T> }
    | undefined;

  constructor(table: Table, options: CheckedSinkOptions<T>) {
    this.#table = table;
    this.#options = options;
    const { columns } = options;
    if (columns === undefined) return;
    const values = [...columns.values()];
    const properties = values.filter((value) => typeof value === 'string');
    this.#given = {
      whole: this.#shapeOf([...columns.keys()], values),
      properties,
      common: properties.filter((name) => name in Object.prototype),
    };
  }

  /** @throws PostgresRowError that names the items which are no objects, or have a property that is no column. */
  group({ items, at }: Indexed<T>): readonly Group<T>[] {
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

  /** Whether an item names every column that an earlier one does, so that nothing of that is left when both are written. */
  covers(batch: Indexed<T>, index: number, earlier: number): boolean {
    const [shape, before] = [index, earlier].map((at) => this.#shapeAt(batch.items[at], indexOf(batch, at)));
    return shape === before || before?.columns.every((column) => shape?.columns.includes(column)) === true;
  }

  #shapeAt(item: unknown, index: number): Shape<T> {
    const given = this.#given;
    if (given !== undefined) return this.#shapeOfGiven(given, item, index);
    const last = this.#last;
    // Nearly every item is like the one before it, which is seen without making anything.
    if (last !== undefined && hasNames(item, last.names, last.prototype)) return last.shape;
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      throw this.refused(
        index,
        `it is ${kindOf(item)}, and a row is an object. The option columns says what to take`,
      );
    }
    const names = Object.keys(item);
    const shape = this.#shapes.get(JSON.stringify(names)) ?? this.#shapeOfNames(names, index);
    const prototype: unknown = Object.getPrototypeOf(item);
    // A loop over the names of an item sees what it inherits, too.
    this.#last = hasEnumerable(prototype) ? undefined : { names, prototype, shape };
    return shape;
  }

  #shapeOfNames(names: readonly string[], index: number): Shape<T> {
    const unknown = names.find((name) => !this.#table.columns.has(name));
    if (unknown !== undefined) {
      throw this.refused(
        index,
        `its property ${describe(unknown)} is no column of ${this.#table.name} that can be written. The option columns says what to take`,
        { code: 'SW_POSTGRES_COLUMN_UNKNOWN' },
      );
    }
    if (names.length === 0) throw this.refused(index, 'it has no property');
    // In whatever order an item has them: they are the same columns.
    const sorted = names.toSorted();
    const shape = this.#shapes.get(JSON.stringify(sorted)) ?? this.#shapeOf(sorted, sorted);
    this.#remember(sorted, shape);
    this.#remember(names, shape);
    return shape;
  }

  /** All columns, but those that are taken from a property which the item does not have. */
  #shapeOfGiven({ whole, properties, common }: Given<T>, item: unknown, index: number): Shape<T> {
    const object: object = Object(item) as object;
    if (hasAll(object, properties) && common.every((name) => Object.hasOwn(object, name))) return whole;
    const has = whole.values.map(
      (value) =>
        typeof value !== 'string' ||
        (common.includes(value) ? Object.hasOwn(object, value) : value in object),
    );
    const names = whole.columns.filter((_, at) => has[at]).map(({ name }) => name);
    if (names.length === 0) {
      throw this.refused(index, 'it has none of the properties that its columns are taken from');
    }
    const known = this.#shapes.get(JSON.stringify(names));
    if (known !== undefined) return known;
    const shape = this.#shapeOf(
      names,
      whole.values.filter((_, at) => has[at]),
    );
    this.#remember(names, shape);
    return shape;
  }

  #remember(names: readonly string[], shape: Shape<T>): void {
    // Items may be of endless kinds.
    if (this.#shapes.size >= MOST_SHAPES) this.#shapes.clear();
    this.#shapes.set(JSON.stringify(names), shape);
  }

  #shapeOf(names: readonly string[], values: readonly ColumnValue<T>[]): Shape<T> {
    const columns = names.map((name) => this.#table.columns.get(name) as TableColumn);
    return { columns, values, encoders: columns.map((column) => encoderOf(column, this.#options.json)) };
  }

  refused(index: number, why: string, details: RefusalDetails = {}): PostgresRowError {
    const { name, table } = this.#options;
    const { code, ...cause } = details;
    return new PostgresRowError(
      `Row ${index} of the batch cannot be written: ${why}.`,
      [index],
      { stage: name, table: table.table, ...cause },
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

function hasNames(item: unknown, names: readonly string[], prototype: unknown): boolean {
  if (typeof item !== 'object' || item === null || Object.getPrototypeOf(item) !== prototype) return false;
  let at = 0;
  for (const name in item) if (name !== names[at++]) return false;
  return at === names.length;
}

function hasEnumerable(object: unknown): boolean {
  for (const _ in object as object) return true;
  return false;
}

/** Its own, or of its class. */
function hasAll(object: object, names: readonly string[]): boolean {
  for (let at = 0; at < names.length; at++) if (!((names[at] as string) in object)) return false;
  return true;
}
