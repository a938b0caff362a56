/** The types of Parquet that become values of a table, and how. Any other is refused: none is converted with a loss. */

import type { ParquetParsers, SchemaElement } from 'hyparquet';
import { type Column, type ColumnType, checkNumber, Refusal, shown, type Value } from './table.ts';

type Convert = (value: unknown, place: () => string) => Value;

export interface ParquetColumn extends Column {
  /** Of a value that is there. */
  readonly convert: Convert;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What hyparquet would make of these loses something: microseconds, bytes that are no text. */
export const PARSERS = {
  timestampFromMilliseconds: (millis: bigint) => millis,
  timestampFromMicroseconds: (micros: bigint) => micros,
  timestampFromNanoseconds: (nanos: bigint) => nanos,
  dateFromDays: (days: number) => days,
  stringFromBytes: (bytes: Uint8Array | undefined) => bytes && UTF8.decode(bytes),
} as unknown as ParquetParsers;

/** @throws Refusal */
export function readColumn(element: SchemaElement): ParquetColumn {
  const { name } = element;
  const made = element.repetition_type === 'REPEATED' ? undefined : converterOf(element);
  if (made !== undefined) return { name, type: made[0], convert: made[1] };
  const type = element.logical_type?.type ?? element.converted_type ?? element.type ?? 'no type';
  throw new Refusal(
    `Column ${shown(name)} is ${element.repetition_type === 'REPEATED' ? 'a list' : type}, which cannot be written as text and read back.`,
  );
}

function converterOf(element: SchemaElement): [ColumnType, Convert] | undefined {
  const annotation = element.logical_type?.type ?? element.converted_type;
  switch (element.type) {
    case 'BOOLEAN':
      return annotation === undefined ? ['boolean', (value) => value as boolean] : undefined;
    case 'FLOAT':
    case 'DOUBLE':
      return annotation === undefined
        ? ['number', (value, place) => checkNumber(value as number, place)]
        : undefined;
    case 'BYTE_ARRAY':
      return annotation === 'STRING' || annotation === 'UTF8'
        ? ['text', (value) => value as string]
        : undefined;
    case 'INT32':
    case 'INT64':
      if (annotation === undefined || annotation === 'INTEGER' || /^U?INT_\d+$/.test(annotation))
        return ['integer', (value, place) => checkNumber(Number(value), place)];
      if (annotation === 'DATE') return ['text', dateOf];
      return timestampOf(element);
    default:
      return undefined;
  }
}

const DAY_MS = 86_400_000;
const UNITS = { MILLIS: 1n, MICROS: 1000n, NANOS: 1_000_000n } as const;

/** `2001-01-14`. */
function dateOf(value: unknown, place: () => string): string {
  return isoOf(Number(value) * DAY_MS, place).replace(/T.*/, '');
}

/** `2001-01-14T07:05:00.000000`: with all digits that its unit has, and a Z where it is in UTC and not local. */
function timestampOf({ logical_type, converted_type }: SchemaElement): [ColumnType, Convert] | undefined {
  const isLogical = logical_type?.type === 'TIMESTAMP';
  const unit = isLogical ? logical_type.unit : /^TIMESTAMP_(MILLIS|MICROS)$/.exec(converted_type ?? '')?.[1];
  const perMilli = UNITS[unit as keyof typeof UNITS];
  if (perMilli === undefined) return undefined;
  const zone = isLogical && !logical_type.isAdjustedToUTC ? '' : 'Z';
  const digits = String(perMilli).length - 1;
  return [
    'text',
    (value, place) => {
      const units = value as bigint;
      // Of what lies before 1970 too, the rest counts forwards.
      const rest = ((units % perMilli) + perMilli) % perMilli;
      const text = isoOf(Number((units - rest) / perMilli), place).slice(0, -1);
      return `${text}${digits === 0 ? '' : String(rest).padStart(digits, '0')}${zone}`;
    },
  ];
}

function isoOf(ms: number, place: () => string): string {
  try {
    return new Date(ms).toISOString();
  } catch (error) {
    throw new Refusal(`${place()} is a time that is farther away than can be written.`, { cause: error });
  }
}
