/** What tables have in common, whatever file they are in: the values that all three formats can hold. */

export type Value = string | number | boolean | null;
export type Row = readonly Value[];

/** `integer` is a whole number up to 2^53, `number` any other finite one. Any column may hold nulls. */
export type ColumnType = 'text' | 'integer' | 'number' | 'boolean';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

/** A table that is read from the beginning, batch by batch. */
export interface Table {
  readonly columns: readonly Column[];
  rows(): AsyncGenerator<readonly Row[], void, undefined>;
}

/** Takes the rows of a table; nothing is complete before `end`. */
export interface TableWriter {
  write(rows: readonly Row[]): Promise<void>;
  end(): Promise<void>;
}

/** What of a CSV is more than text. */
export interface TableSettings {
  /** Columns of a CSV become numbers and booleans where each of their values is written back as the same text. */
  readonly types: boolean;
  /** The field of a CSV that stands for null, in both directions. */
  readonly nullText: string | undefined;
}

/** How many rows are handed on at once. */
export const ROWS_OF_BATCH = 1000;

/** Why a file is not converted. Its message is for the user, and quotes no value. */
export class Refusal extends Error {}

/** @throws Refusal what another format, or a reader, would make something else of */
export function checkNumber(value: number, place: () => string): number {
  if (!Number.isFinite(value)) throw new Refusal(`${place()} is NaN or infinite, which JSON cannot hold.`);
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    throw new Refusal(
      `${place()} is a whole number beyond 2^53, of which digits would be lost. Make it text where it comes from.`,
    );
  if (Object.is(value, -0)) throw new Refusal(`${place()} is -0, which would be written as 0.`);
  return value;
}

const SURROGATES = /[\uD800-\uDFFF]/;

/** @throws Refusal half of a surrogate pair, which UTF-8 cannot write */
export function checkText(value: string, place: () => string): string {
  if (SURROGATES.test(value) && /\p{Surrogate}/u.test(value))
    throw new Refusal(`${place()} has half of a surrogate pair, which cannot be written as UTF-8.`);
  return value;
}

/** @throws Refusal names that are there twice */
export function checkNames(names: readonly string[]): void {
  const twice = names.findIndex((name, at) => names.indexOf(name) < at);
  if (twice >= 0)
    throw new Refusal(`Column ${twice + 1} has the name of an earlier one: ${shown(names[twice])}.`);
}

/** The name of a column in a message: short, and without what moves a cursor. */
export function shown(name: string | undefined): string {
  const text = JSON.stringify(name ?? '');
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}
