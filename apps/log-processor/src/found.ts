/** What the table holds, asked by SQL. */

import type { Database } from './database.ts';
import type { Sum } from './independent-count.ts';
import type { ReadLog } from './logs.ts';

export interface Stored {
  /** All rows, and how many of them are the only one of their line. */
  readonly rows: number;
  readonly lines: number;
  readonly total: Sum;
  readonly byStatus: ReadonlyMap<string, Sum>;
  readonly byPath: ReadonlyMap<string, Sum>;
  readonly byMinute: ReadonlyMap<string, Sum>;
}

interface Group extends Sum {
  readonly key: string;
}

const OF = `from requests join unnest($1::text[], $2::int[]) as log (file, incarnation) using (file, incarnation)`;
const SUMS = 'count(*)::float8 as requests, coalesce(sum(bytes), 0)::float8 as bytes';

/** @param logs of which the rows are asked for. */
export async function findStored(database: Database, logs: readonly ReadLog[]): Promise<Stored> {
  const values = [logs.map(({ file }) => file), logs.map(({ incarnation }) => incarnation)];
  const by = async (key: string) => {
    const groups = await database.query<Group>(`select ${key} as key, ${SUMS} ${OF} group by 1`, values);
    return new Map(groups.map(({ key: name, requests, bytes }) => [name, { requests, bytes }]));
  };
  const [counted] = await database.query<{ rows: number; lines: number; bytes: number }>(
    `select count(*)::float8 as rows, count(distinct (file, incarnation, line))::float8 as lines,
            coalesce(sum(bytes), 0)::float8 as bytes ${OF}`,
    values,
  );
  const { rows = 0, lines = 0, bytes = 0 } = counted ?? {};
  return {
    rows,
    lines,
    total: { requests: rows, bytes },
    byStatus: await by('status::text'),
    byPath: await by('path'),
    byMinute: await by(`to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')`),
  };
}

/** What was answered since the log had so many lines. */
export async function findAnswered(
  database: Database,
  log: string,
  linesBefore: number,
): Promise<ReadonlyMap<number, Sum>> {
  const groups = await database.query<{ status: number } & Sum>(
    `select status, ${SUMS} from requests
      where (file, incarnation) = (select file, max(incarnation) from requests where file = $1 group by 1) and line > $2
      group by 1`,
    [log, linesBefore],
  );
  return new Map(groups.map(({ status, requests, bytes }) => [status, { requests, bytes }]));
}

export interface Figures {
  readonly total: Sum & { readonly first: string; readonly last: string };
  readonly statuses: readonly {
    readonly status: number;
    readonly requests: number;
    readonly bytes: number;
  }[];
  readonly paths: readonly {
    readonly path: string;
    readonly requests: number;
    readonly bytes: number;
    readonly errors: number;
  }[];
  readonly failing: readonly { readonly path: string; readonly status: number; readonly requests: number }[];
  readonly minutes: number;
  readonly slowest: { readonly minute: string; readonly requests: number } | undefined;
  readonly busiest: { readonly minute: string; readonly requests: number } | undefined;
}

const MOST_PATHS = 8;
const MOST_FAILING = 4;

/** What a human wants to know of the whole table. */
export async function findFigures(database: Database): Promise<Figures | undefined> {
  const [total] = await database.query<Figures['total']>(
    `select ${SUMS}, to_char(min(at), 'YYYY-MM-DD HH24:MI:SS') as first, to_char(max(at), 'YYYY-MM-DD HH24:MI:SS') as last
       from requests`,
  );
  if (total === undefined || total.requests === 0) return undefined;
  const statuses = await database.query<Figures['statuses'][number]>(
    `select status, ${SUMS} from requests group by 1 order by 1`,
  );
  const paths = await database.query<Figures['paths'][number]>(
    `select path, ${SUMS}, (count(*) filter (where status >= 400))::float8 as errors
       from requests group by 1 order by 2 desc, 1 limit ${MOST_PATHS}`,
  );
  const failing = await database.query<Figures['failing'][number]>(
    `select path, status, count(*)::float8 as requests from requests where status >= 400
      group by 1, 2 order by 3 desc, 1 limit ${MOST_FAILING}`,
  );
  // Of whole minutes alone: the log begins and ends within one. A minute without a request counts as well.
  const minutes = await database.query<{ minute: string; requests: number }>(
    `with span as (select date_trunc('minute', min(at)) as first, date_trunc('minute', max(at)) as last from requests),
          counted as (select date_trunc('minute', at) as minute, count(*) as requests from requests group by 1),
          whole as (select minute from counted, span where minute > first and minute < last
                    union select first + interval '1 minute' from span where last > first + interval '1 minute'
                    union select minute + interval '1 minute' from counted, span
                           where minute + interval '1 minute' > first and minute + interval '1 minute' < last)
     select to_char(minute, 'YYYY-MM-DD HH24:MI') as minute, coalesce(requests, 0)::float8 as requests
       from whole left join counted using (minute) order by 2, 1`,
  );
  return {
    total,
    statuses,
    paths,
    failing,
    minutes: minutes.length,
    slowest: minutes[0],
    busiest: minutes.at(-1),
  };
}
