/** What a change source hands out, and how messages of pgoutput become that. */

import { PgoutputPlugin } from 'pg-logical-replication';
import type { TypeParsers } from './connection.ts';

type Row = Readonly<Record<string, unknown>>;

/** The transaction that a change was part of: the same object for all of it. */
export interface ChangeTransaction {
  readonly id: number;
  /** Where its commit lies in the log. */
  readonly lsn: string;
  readonly committedAt: Date;
}

interface ChangeOf {
  readonly schema: string;
  readonly table: string;
  /** Undefined for rows that were there before: those of the snapshot. */
  readonly transaction: ChangeTransaction | undefined;
}

/**
 * One change of one row. `old` holds what the table's REPLICA IDENTITY tells: its key, of a delete and of an update that
 * changed the key, by default; all of it with FULL. Large values that an update did not change are not sent: they are
 * missing from `new`, and named in `unchanged`.
 */
export type Change =
  | (ChangeOf & { readonly kind: 'insert'; readonly new: Row; readonly old: null })
  | (ChangeOf & {
      readonly kind: 'update';
      readonly new: Row;
      readonly old: Row | null;
      readonly unchanged?: readonly string[];
    })
  | (ChangeOf & { readonly kind: 'delete'; readonly new: null; readonly old: Row })
  | (ChangeOf & { readonly kind: 'truncate'; readonly new: null; readonly old: null });

/** What comes out of the log: changes, and the ends of transactions between them. */
export type Logged =
  | { readonly kind: 'begin'; readonly transaction: ChangeTransaction }
  | { readonly kind: 'change'; readonly change: Change }
  /** All of a transaction came; `lsn` is where the next begins. */
  | { readonly kind: 'commit'; readonly lsn: string };

interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly columns: { readonly name: string; readonly typeOid: number; parser: (text: string) => unknown }[];
}

/** Reads the messages of one connection, in order. */
export class ChangeDecoder {
  readonly #plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: [] });
  readonly #types: TypeParsers;
  #transaction: ChangeTransaction | undefined;

  constructor(types: TypeParsers) {
    this.#types = types;
  }

  decode(message: Buffer): readonly Logged[] {
    const parsed = this.#plugin.parse(message);
    switch (parsed.tag) {
      case 'begin': {
        const transaction = {
          id: parsed.xid >>> 0,
          lsn: trimmed(parsed.commitLsn as string),
          committedAt: new Date(Number(BigInt(parsed.commitTime as unknown as bigint) / 1000n)),
        };
        this.#transaction = transaction;
        return [{ kind: 'begin', transaction }];
      }
      case 'commit':
        this.#transaction = undefined;
        return [{ kind: 'commit', lsn: trimmed(parsed.commitEndLsn as string) }];
      case 'relation':
        // The library reads values by the types of `pg`, which lose; the object is the one it will use.
        for (const column of (parsed as unknown as Relation).columns) {
          column.parser = this.#types.getTypeParser(column.typeOid);
        }
        return [];
      case 'insert':
        return this.#change(parsed.relation, { kind: 'insert', new: plain(parsed.new), old: null });
      case 'update': {
        const unchanged = Object.keys(parsed.new).filter((name) => parsed.new[name] === undefined);
        return this.#change(parsed.relation, {
          kind: 'update',
          new: plain(parsed.new),
          old: rowOf(parsed.old ?? parsed.key),
          ...(unchanged.length === 0 ? undefined : { unchanged }),
        });
      }
      case 'delete':
        return this.#change(parsed.relation, {
          kind: 'delete',
          new: null,
          old: rowOf(parsed.old ?? parsed.key) ?? {},
        });
      case 'truncate':
        return parsed.relations.flatMap((relation) =>
          this.#change(relation, { kind: 'truncate', new: null, old: null }),
        );
      case 'origin':
      case 'type':
      case 'message':
        return [];
    }
  }

  #change(
    { schema, name }: { readonly schema: string; readonly name: string },
    change: Pick<Change, 'kind' | 'new' | 'old'> & { readonly unchanged?: readonly string[] },
  ): readonly Logged[] {
    const { kind, ...rows } = change;
    return [
      {
        kind: 'change',
        change: { kind, schema, table: name, ...rows, transaction: this.#transaction } as Change,
      },
    ];
  }
}

/** Without what was not sent, and with the prototype that people expect. */
function plain(row: Record<string, unknown>): Row {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));
}

function rowOf(row: Record<string, unknown> | null): Row | null {
  return row === null ? null : plain(row);
}

/** The library writes `00000000/0015D2F8`, the server `0/15D2F8`. */
function trimmed(lsn: string): string {
  return lsn
    .split('/')
    .map((part) => part.replace(/^0+(?=.)/, ''))
    .join('/');
}
