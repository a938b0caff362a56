/**
 * One lane of a source: a cursor, the rows that were fetched from it, and where they end.
 *
 *     cursor ─ fetch ─► [ rows … | the next row ] ─ take(demand) ─► rows, cut where a key ends, and the position behind
 *
 * Rows that share a key cannot be told apart on resume, so a batch ends between two keys; the row behind it has to be
 * known for that.
 */

import type { Session, SessionCursor } from './client.ts';
import type { TypeParsers } from './connection.ts';
import type { PostgresPosition, ResumeKey } from './source-key.ts';
import type { LanePlan, Statement } from './source-plan.ts';

/** Rows that are asked for at once, at most: more take longer to come and are no faster. Large rows: fewer. */
const FETCH_ROWS = 1000;
/** So many of the first are asked for, to see how large they are. */
const FIRST_ROWS = 50;
const FETCH_BYTES = 1 << 24;

type Row = Record<string, unknown>;

export interface Taken {
  readonly items: readonly Row[];
  /** Undefined where there is no key. */
  readonly position: PostgresPosition | undefined;
}

export class LaneReader {
  readonly lane: string;
  readonly session: Session;
  readonly #key: ResumeKey | undefined;
  readonly #statement: Statement;
  readonly #types: TypeParsers;
  #cursor: SessionCursor | undefined;
  #rows: Row[] = [];
  #at = 0;
  #position: PostgresPosition;
  #size = FIRST_ROWS;
  #isFetching = false;
  #isAtEnd = false;

  constructor(session: Session, types: TypeParsers, plan: LanePlan | Statement, key: ResumeKey | undefined) {
    this.session = session;
    this.#types = types;
    this.#key = key;
    const [lane, statement, from] =
      'lane' in plan ? [plan.lane, plan.statement, plan.from] : ['', plan, undefined];
    this.lane = lane;
    this.#statement = statement;
    this.#position = from ?? { key: null, types: [] };
  }

  get isFetching(): boolean {
    return this.#isFetching;
  }

  /** Everything was taken. */
  get isDone(): boolean {
    return this.#isAtEnd && this.#at === this.#rows.length;
  }

  get #left(): number {
    return this.#rows.length - this.#at;
  }

  /** Whether `take(demand)` has something to answer. */
  canTake(demand: number): boolean {
    // With a key, the row behind the batch is needed, if there is one.
    const needed = this.#key === undefined ? 1 : Math.min(demand, this.#size) + 1;
    return this.#left >= needed || (this.#isAtEnd && this.#left > 0);
  }

  /** Fetches more, unless it does or there is no more. The answer is undefined then. */
  fetch(): Promise<void> | undefined {
    if (this.#isFetching || this.#isAtEnd || this.#left > this.#size) return undefined;
    this.#isFetching = true;
    this.#cursor ??= this.session.cursor(this.#statement.text, this.#statement.values, this.#types);
    const size = this.#size;
    const before = this.session.bytesRead;
    return this.#cursor.read(size).then(
      (rows) => {
        this.#isFetching = false;
        if (rows.length < size) this.#isAtEnd = true;
        const bytes = Math.max(1, (this.session.bytesRead - before) / size);
        this.#size = Math.max(1, Math.min(FETCH_ROWS, Math.floor(FETCH_BYTES / bytes)));
        this.#rows = this.#left === 0 ? rows : this.#rows.slice(this.#at).concat(rows);
        this.#at = 0;
      },
      (error: unknown) => {
        this.#isFetching = false;
        throw error;
      },
    );
  }

  take(demand: number): Taken {
    // The size may have grown since it was seen that there is enough.
    const last = this.#key === undefined || this.#isAtEnd ? this.#rows.length : this.#rows.length - 1;
    const end = Math.min(last, this.#at + Math.min(demand, FETCH_ROWS));
    const key = this.#key;
    if (key === undefined) return { items: this.#cut(end), position: undefined };
    key.check(this.#rows, this.#at, end);
    let cut = end;
    if (cut < this.#rows.length || !this.#isAtEnd) {
      while (cut > this.#at && key.isSame(this.#rows[cut - 1] as Row, this.#rows[cut] as Row)) cut -= 1;
    }
    if (cut > this.#at) {
      this.#position = { ...this.#position, key: key.of(this.#rows[cut - 1] as Row) };
    } else {
      // More rows share this key than were asked for: they come, and the position stays before them.
      cut = end;
    }
    return { items: this.#cut(cut), position: this.#position };
  }

  #cut(end: number): readonly Row[] {
    const items = this.#at === 0 && end === this.#rows.length ? this.#rows : this.#rows.slice(this.#at, end);
    this.#at = end;
    if (this.#left === 0) {
      this.#rows = [];
      this.#at = 0;
    }
    return items;
  }

  /** Closes the portal. Nothing must be being fetched. */
  async close(): Promise<void> {
    await this.#cursor?.close();
  }
}
