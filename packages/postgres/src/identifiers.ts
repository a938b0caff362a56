/** Names as the server has them: raw in options, quoted in statements, so that none can be taken for anything else. */

import { OptionError } from '@streamweld/core/connector';

/** The most bytes of a name: the server would cut the rest off, and two names could become one. */
const MAX_BYTES = 63;

/** @throws OptionError for what no name can be. */
export function checkIdentifier(option: string, value: unknown): string {
  if (
    typeof value === 'string' &&
    value !== '' &&
    !value.includes('\0') &&
    value.isWellFormed() &&
    new TextEncoder().encode(value).length <= MAX_BYTES
  ) {
    return value;
  }
  throw new OptionError(option, `the name of something in the database, 1 to ${MAX_BYTES} bytes`, value);
}

/** `a"b` becomes `"a""b"`. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A table, with its schema where one is given; else it is looked for on the search path. */
export interface TableName {
  readonly schema: string | undefined;
  readonly table: string;
}

export function quoteTable({ schema, table }: TableName): string {
  return schema === undefined
    ? quoteIdentifier(table)
    : `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
}
