/**
 * What becomes of a column's text: nothing is lost on the way. What a number or a Date of JavaScript cannot hold stays the
 * text that the server wrote.
 *
 *     bool                         boolean
 *     int2 int4 oid float4 float8  number
 *     int8 numeric money           string            beyond 2^53, and with every digit
 *     date time timestamp(tz)      string            in microseconds, with infinity
 *     interval uuid text … enum    string
 *     bytea                        Uint8Array
 *     json jsonb                   what JSON.parse answers, or the text
 *     arrays of these              arrays
 */

import pg from 'pg';
import type { Session } from './client.ts';
import type { TypeParsers } from './connection.ts';

type Parser = (text: string) => unknown;

const asIs: Parser = (text) => text;
const toNumber: Parser = (text) => Number(text);

/** The oids of the types that come with every server (pg_type.dat), and those of their arrays. */
const SCALARS: readonly (readonly [oid: number, array: number, parse: Parser])[] = [
  [16, 1000, (text) => text === 't'],
  // `bytea_output` is hex for whatever is read; what `pg` makes of it may be the application's own.
  [17, 1001, (text) => Buffer.from(text.slice(2), 'hex')],
  [21, 1005, toNumber],
  [23, 1007, toNumber],
  [26, 1028, toNumber],
  [700, 1021, toNumber],
  [701, 1022, toNumber],
  // Text, whatever it says: char name text bpchar varchar, int8 numeric money, date time timestamp timestamptz timetz
  // interval, uuid, inet cidr macaddr.
  ...(
    [
      [18, 1002],
      [19, 1003],
      [25, 1009],
      [1042, 1014],
      [1043, 1015],
      [20, 1016],
      [1700, 1231],
      [790, 791],
      [1082, 1182],
      [1083, 1183],
      [1114, 1115],
      [1184, 1185],
      [1266, 1270],
      [1186, 1187],
      [2950, 2951],
      [869, 1041],
      [650, 651],
      [829, 1040],
    ] as const
  ).map(([oid, array]) => [oid, array, asIs] as const),
];

const JSON_TYPES = [
  [114, 199],
  [3802, 3807],
] as const;

export type JsonMode = 'value' | 'text';

const ARRAYS = pg.types as unknown as {
  arrayParser: { create(text: string, parse: Parser): { parse(): unknown } };
};

function arrayOf(parse: Parser): Parser {
  return (text) => ARRAYS.arrayParser.create(text, parse).parse();
}

function parsersOf(
  types: readonly (readonly [oid: number, array: number, parse: Parser])[],
): Map<number, Parser> {
  return new Map(
    types.flatMap(([oid, array, parse]): [number, Parser][] => [
      [oid, parse],
      [array, arrayOf(parse)],
    ]),
  );
}

const KNOWN: ReadonlyMap<number, Parser> = parsersOf(SCALARS);

/**
 * The parsers of what is asked of the server for our own use. What the application has set for all of `pg` (`setTypeParser`)
 * is meant for its own queries.
 */
export const KNOWN_TYPES: TypeParsers = { getTypeParser: (oid) => KNOWN.get(oid) ?? asIs };

/** The parsers of a session: those of every server, domains of this database, and arrays of its enums and domains. */
export async function loadParsers(session: Session, json: JsonMode): Promise<TypeParsers> {
  const parseJson: Parser = json === 'value' ? (text) => JSON.parse(text) as unknown : asIs;
  const parsers = new Map([...KNOWN, ...parsersOf(JSON_TYPES.map((type) => [...type, parseJson] as const))]);
  // An enum is text. A domain is what it stands for, which may be another domain; a query says so itself, a stream of
  // changes names the domain. An array of either has an oid of its own.
  const { rows } = await session.query(
    `select t.oid::int8 as type, t.typbasetype::int8 as base, t.typelem::int8 as element
       from pg_catalog.pg_type t left join pg_catalog.pg_type e on e.oid = t.typelem
      where t.oid >= 16384
        and (t.typtype = 'd' or (t.typcategory = 'A' and t.typlen = -1 and e.typtype in ('e', 'd')))`,
  );
  const own = new Map(
    (rows as { type: string; base: string; element: string }[]).map(({ type, base, element }) => [
      Number(type),
      { base: Number(base), element: Number(element) },
    ]),
  );
  const parserOf = (oid: number): Parser => {
    const known = parsers.get(oid);
    const type = own.get(oid);
    if (known !== undefined || type === undefined) return known ?? asIs;
    const parse = type.base === 0 ? arrayOf(parserOf(type.element)) : parserOf(type.base);
    parsers.set(oid, parse);
    return parse;
  };
  return { getTypeParser: parserOf };
}
