/**
 * Positions in tables of the database, for a sink that keeps them with its rows and for the checkpoint store.
 *
 *     <table>         name, lane → position        as JSON (positionToJson of core)
 *     <table>_runs    name → epoch                 raised by whoever takes the name over: an earlier run is fenced
 */

import { type Json, positionFromJson, positionToJson, StreamWeldError } from '@streamweld/core/connector';
import type { Session } from './client.ts';
import { quoteIdentifier } from './identifiers.ts';

export type Positions = ReadonlyMap<string, unknown>;

/** Which write it was: an epoch, and a number in it. By it a write whose COMMIT was not answered is found again. */
export type WriteId = string;

const LOCK = 7_321_846_501;

/** Makes tables, one after the other with others that do: `if not exists` alone lets two that come at once fail. */
export async function createTables(session: Session, statements: readonly string[]): Promise<void> {
  await session.query('begin');
  await session.query('select pg_advisory_xact_lock($1)', [LOCK]);
  for (const statement of statements) await session.query(statement);
  await session.commit();
}

/**
 * Of this transaction: its COMMIT is answered when it is on disk. Where `synchronous_commit` is off, a crash of the server takes
 * back what it has answered, and a run that goes on would leave a gap.
 */
const FLUSHED = `set_config('synchronous_commit', case current_setting('synchronous_commit')
  when 'off' then 'local' else current_setting('synchronous_commit') end, true)`;

export class PositionTables {
  readonly #lanes: string;
  readonly #runs: string;
  readonly #stage: string;

  constructor(table: string, stage: string) {
    this.#lanes = quoteIdentifier(table);
    this.#runs = quoteIdentifier(`${table}_runs`);
    this.#stage = stage;
  }

  /** Makes the tables where they are not there. Not within a transaction. */
  async create(session: Session): Promise<void> {
    const { rows } = await session.query(
      'select to_regclass($1) is not null and to_regclass($2) is not null as are',
      [this.#lanes, this.#runs],
    );
    if ((rows[0] as { are: boolean }).are) return;
    await createTables(session, [
      `create table if not exists ${this.#lanes} (name text, lane text, position text not null, write text, primary key (name, lane))`,
      `create table if not exists ${this.#runs} (name text primary key, epoch bigint not null)`,
    ]);
  }

  /** The epoch from which on this caller alone has the name. */
  async takeOver(session: Session, name: string): Promise<string> {
    const { rows } = await session.query(
      `insert into ${this.#runs} as r values ($1, 1) on conflict (name) do update set epoch = r.epoch + 1 returning epoch::text`,
      [stored(name)],
    );
    return (rows[0] as { epoch: string }).epoch;
  }

  /**
   * Within a transaction: sees to it that nobody takes the name over before its end.
   * @param alone waits for every other transaction that holds it, too, such as one whose connection was lost.
   * @throws StreamWeldError SW_CHECKPOINT_FENCED where somebody has.
   */
  async hold(session: Session, name: string, epoch: string, alone: boolean): Promise<void> {
    const { rows } = await session.query(
      `select epoch::text, ${FLUSHED} from ${this.#runs} where name = $1 for ${alone ? 'update' : 'share'}`,
      [stored(name)],
    );
    if ((rows[0] as { epoch: string } | undefined)?.epoch === epoch) return;
    throw new StreamWeldError(
      'SW_CHECKPOINT_FENCED',
      `Another run has taken over the checkpoint of ${JSON.stringify(name)}. Let only one run at a time use a name.`,
      { stage: this.#stage },
    );
  }

  async load(session: Session, name: string): Promise<Map<string, unknown>> {
    const { rows } = await session.query(`select lane, position from ${this.#lanes} where name = $1`, [
      stored(name),
    ]);
    return new Map(
      (rows as { lane: string; position: string }[]).map(({ lane, position }) => [
        restored(lane),
        positionFromJson(JSON.parse(position)),
      ]),
    );
  }

  /** Puts the lanes that moved; the others stay. */
  async put(
    session: Session,
    name: string,
    positions: EncodedPositions,
    write: WriteId | null,
  ): Promise<void> {
    if (positions.lanes.length === 0) return;
    await session.query(
      `insert into ${this.#lanes} (name, lane, position, write)
       select $1, u.lane, u.position, $4 from unnest($2::text[], $3::text[]) as u(lane, position)
         on conflict (name, lane) do update set position = excluded.position, write = excluded.write`,
      [stored(name), positions.lanes, positions.texts, write],
    );
  }

  /** Puts these in place of all there are. */
  async replace(session: Session, name: string, positions: EncodedPositions): Promise<void> {
    await session.query(`delete from ${this.#lanes} where name = $1 and lane <> all ($2::text[])`, [
      stored(name),
      positions.lanes,
    ]);
    await this.put(session, name, positions, null);
  }

  /**
   * Whether a write was committed. Its positions alone do not tell: they may be those that were kept before it. Nobody else
   * must be writing to these lanes.
   */
  async holds(session: Session, name: string, { lanes }: EncodedPositions, write: WriteId): Promise<boolean> {
    const { rows } = await session.query(
      `select count(*)::int as same from ${this.#lanes} where name = $1 and lane = any ($2::text[]) and write = $3`,
      [stored(name), lanes, write],
    );
    return lanes.length > 0 && (rows[0] as { same: number }).same === lanes.length;
  }
}

export interface EncodedPositions {
  readonly lanes: readonly string[];
  readonly texts: readonly string[];
}

/** @throws StreamWeldError SW_POSITION_UNSTORABLE for what would not come back as it was. */
export function encodePositions(positions: Positions): EncodedPositions {
  const lanes: string[] = [];
  const texts: string[] = [];
  for (const [lane, position] of positions) {
    lanes.push(stored(lane));
    const json: Json = positionToJson(position, `lane ${JSON.stringify(lane)}`);
    texts.push(JSON.stringify(json));
  }
  return { lanes, texts };
}

/** Names may hold what no text of Postgres can: NUL, and halves of surrogate pairs. */
const UNSTORABLE = /[\\\0]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function stored(name: string): string {
  return name.replace(
    UNSTORABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function restored(name: string): string {
  return name.replace(/\\u([0-9a-f]{4})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}
