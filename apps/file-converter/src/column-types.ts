/** Finding out what the columns of a text file hold: it is read once for that, and once more to be converted. */

import { type Column, type ColumnType, checkNumber, checkText, Refusal, shown, type Value } from './table.ts';

/** Of a CSV, where all is text: what every field so far would be written back as, letter by letter. */
export class FieldTypes {
  readonly #names: readonly string[];
  readonly #nullText: string | undefined;
  readonly #may: { integer: boolean; number: boolean; boolean: boolean; isEmpty: boolean }[];

  constructor(names: readonly string[], nullText: string | undefined) {
    this.#names = names;
    this.#nullText = nullText;
    this.#may = names.map(() => ({ integer: true, number: true, boolean: true, isEmpty: true }));
  }

  add(row: readonly string[]): void {
    for (let at = 0; at < row.length; at++) {
      const field = row[at] as string;
      const may = this.#may[at];
      if (may === undefined || field === this.#nullText) continue;
      may.isEmpty = false;
      if (may.boolean) may.boolean = field === 'true' || field === 'false';
      if (may.number) {
        const number = Number(field);
        may.number = isPlain(number) && String(number) === field;
        may.integer &&= may.number && Number.isInteger(number);
      }
    }
  }

  columns(): Column[] {
    return this.#names.map((name, at) => ({ name, type: this.#typeOf(at) }));
  }

  #typeOf(at: number): ColumnType {
    const may = this.#may[at];
    if (may === undefined || may.isEmpty) return 'text';
    if (may.boolean) return 'boolean';
    if (may.number) return may.integer ? 'integer' : 'number';
    return 'text';
  }
}

function isPlain(number: number): boolean {
  return Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number));
}

/** Of NDJSON: the columns are the keys of the first record, which all others have too, and each has one type. */
export class RecordTypes {
  #names: readonly string[] | undefined;
  #types: (ColumnType | undefined)[] = [];
  #records = 0;

  /** @throws Refusal what is no row of a table, or no row of this one */
  add(record: unknown): void {
    this.#records += 1;
    if (typeof record !== 'object' || record === null || Array.isArray(record))
      throw new Refusal(`Record ${this.#records} is no object, and so no row of a table.`);
    const keys = Object.keys(record);
    this.#names ??= this.#begin(keys);
    for (let at = 0; at < this.#names.length; at++) {
      const name = this.#names[at] as string;
      if (!Object.hasOwn(record, name))
        throw new Refusal(
          `Record ${this.#records} has no ${shown(name)}, as the first record has. Null would be something else: write it where it is meant.`,
        );
      this.#see(at, (record as Record<string, unknown>)[name]);
    }
    if (keys.length > this.#names.length) {
      const names = this.#names;
      const other = keys.find((key) => !names.includes(key));
      throw new Refusal(`Record ${this.#records} has ${shown(other)}, which the first record has not.`);
    }
  }

  columns(): Column[] {
    return (this.#names ?? []).map((name, at) => ({ name, type: this.#types[at] ?? 'text' }));
  }

  #begin(keys: readonly string[]): readonly string[] {
    if (keys.length === 0) throw new Refusal('Record 1 has no keys, so there are no columns.');
    for (const [at, key] of keys.entries()) checkText(key, () => `The name of column ${at + 1}`);
    return keys;
  }

  #see(at: number, value: unknown): void {
    if (value === null) return;
    const place = () => `Record ${this.#records}: ${shown(this.#names?.[at])}`;
    const type = typeOf(value, place);
    const known = this.#types[at];
    if (known === undefined || known === type) this.#types[at] = type;
    else if (isNumeric(known) && isNumeric(type)) this.#types[at] = 'number';
    else
      throw new Refusal(
        `${place()} is ${WORDS[type]}, and was ${WORDS[known]} before. A column has one type.`,
      );
  }
}

const WORDS = { text: 'text', integer: 'a number', number: 'a number', boolean: 'true or false' } as const;

function isNumeric(type: ColumnType): boolean {
  return type === 'integer' || type === 'number';
}

function typeOf(value: unknown, place: () => string): ColumnType {
  switch (typeof value) {
    case 'string':
      checkText(value, place);
      return 'text';
    case 'boolean':
      return 'boolean';
    case 'number':
      return Number.isInteger(checkNumber(value, place)) ? 'integer' : 'number';
    default:
      throw new Refusal(
        `${place()} is a list or an object. A column holds text, numbers, true and false, and null.`,
      );
  }
}

/** The value of a field in a column of this type. */
export function valueOf(field: string, type: ColumnType, nullText: string | undefined): Value {
  if (field === nullText) return null;
  switch (type) {
    case 'text':
      return field;
    case 'boolean':
      return field === 'true';
    default:
      return Number(field);
  }
}
