/** The options of a change source: what they are, their defaults and their checks. */

import {
  checkBoolean,
  checkCount,
  checkDuration,
  checkFunction,
  checkOneOf,
  checkOptions,
  OptionError,
} from '@streamweld/core/connector';
import type { ConnectionOptions } from './connection.ts';
import type { PostgresError } from './errors.ts';
import { checkIdentifier, type TableName } from './identifiers.ts';
import { checkReach, checkTable, type CheckedReach, type ReachOptions } from './options.ts';
import type { JsonMode } from './types.ts';

export interface PostgresChangeSourceOptions extends Omit<ReachOptions, 'client'> {
  /** The replication slot: made on a first run. One for each pipeline. Until it is dropped it holds the log back. */
  readonly slot: string;
  /** The publication: which tables, rows and columns. */
  readonly publication: string;
  /** Makes the publication for these tables, where it is not there; where it is, it has to be of these tables. */
  readonly tables?: readonly (string | { readonly schema: string; readonly table: string })[] | undefined;
  /** Whether a run that has no position begins with the rows that are there. Default `true`. */
  readonly snapshot?: boolean | undefined;
  /** Whether `json` and `jsonb` become values, or stay the text, with every digit. Default `'value'`. */
  readonly json?: JsonMode | undefined;
  /** Drops the slot at the end: for looking on. Nothing can be resumed then. Default `false`. */
  readonly temporary?: boolean | undefined;
  /** How many changes are held before the server is made to wait. Default 10,000. */
  readonly maxWaiting?: number | undefined;
  /** How often the position moves on while nothing changes, so that no log is held back, in milliseconds. Default 10,000. */
  readonly heartbeatMs?: number | undefined;
  /** From how many bytes of log that the slot holds back a notice is given. Default 1 GiB. */
  readonly maxBehindBytes?: number | undefined;
  /** Told what is no failure and should be known: the slot falls behind. Default: a warning of the process. */
  readonly onNotice?: ((notice: PostgresError) => void) | undefined;
}

export interface CheckedChangeOptions extends CheckedReach {
  readonly connection: string | ConnectionOptions;
  readonly slot: string;
  readonly publication: string;
  readonly tables: readonly TableName[] | undefined;
  readonly snapshot: boolean;
  readonly json: JsonMode;
  readonly isTemporary: boolean;
  readonly maxWaiting: number;
  readonly heartbeatMs: number;
  readonly maxBehindBytes: number;
  readonly onNotice: (notice: PostgresError) => void;
}

export function checkChangeOptions(options: PostgresChangeSourceOptions): CheckedChangeOptions {
  const given = checkOptions('PostgresChangeSource options', options, [
    'connection',
    'name',
    'errorDetails',
    'slot',
    'publication',
    'tables',
    'snapshot',
    'json',
    'temporary',
    'maxWaiting',
    'heartbeatMs',
    'maxBehindBytes',
    'onNotice',
  ]);
  const slot = given.slot;
  // The server's own rule: a slot is a folder.
  if (typeof slot !== 'string' || !/^[a-z0-9_]{1,63}$/.test(slot)) {
    throw new OptionError('slot', '1 to 63 small letters, digits and underscores', slot);
  }
  const publication = checkIdentifier('publication', given.publication);
  const reach = checkReach(given, `changes of ${publication}`);
  const { tables } = given;
  if (tables !== undefined && (!Array.isArray(tables) || tables.length === 0)) {
    throw new OptionError('tables', 'a list of tables', tables);
  }
  return {
    ...reach,
    connection: reach.connection as string | ConnectionOptions,
    slot,
    publication,
    tables: tables?.map((table) =>
      typeof table === 'string' ? checkTable(table, undefined) : checkTable(table?.table, table?.schema),
    ),
    snapshot: checkBoolean('snapshot', given.snapshot ?? true),
    json: checkOneOf('json', given.json ?? 'value', ['value', 'text']),
    isTemporary: checkBoolean('temporary', given.temporary ?? false),
    maxWaiting: checkCount('maxWaiting', given.maxWaiting ?? 10_000),
    heartbeatMs: checkDuration('heartbeatMs', given.heartbeatMs ?? 10_000),
    maxBehindBytes: checkCount('maxBehindBytes', given.maxBehindBytes ?? 2 ** 30),
    onNotice:
      given.onNotice === undefined
        ? (notice) => process.emitWarning(notice.message, { code: notice.code })
        : checkFunction('onNotice', given.onNotice),
  };
}
