/**
 * What Postgres costs: `pnpm bench:postgres`.
 * Rivals take turns on one server with the same settings; medians of the rounds are printed: rows a second by the clock on
 * the wall, and the processor time of the client (psql's too) and, on Linux, of the machine's servers. A ratio is the
 * median of the ratios of each round; `--check` exits with 1 where one is below its aim.
 * `ROUNDS=1 ROWS=100000 ONLY=insert` shortens it.
 *
 * All but psql build their rows in JavaScript within the time; psql reads a file that is COPY's text already. What a
 * client in JavaScript can reach of psql is told by the rows that are joined by hand, and checked by nobody.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConcurrentPipeline, MemoryCheckpointStore, type Positioned, type Source } from '@streamweld/core';
import pg from 'pg';
import Cursor from 'pg-cursor';
import { startPostgres } from '../../../tools/services/postgres.ts';
import { CopyIn } from '../src/copy-in.ts';
import { PostgresSink } from '../src/sink.ts';
import { PostgresSource } from '../src/source.ts';

type Row = Readonly<Record<string, unknown>>;

interface Shape {
  /** Columns and their types. */
  readonly columns: Readonly<Record<string, string>>;
  readonly row: (id: number) => Row;
}

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const ROWS = Number(process.env['ROWS'] ?? 300_000);
const BATCH = 10_000;
/** Of a cursor, as PostgresSource fetches. */
const FETCH = 1000;

const NOTES = ['Überführung nach Zürich', 'plain text', 'tab\there', 'line\nbreak', 'C:\\path', '🙂', '漢字'];
const SHAPES: Readonly<Record<string, Shape>> = {
  narrow: {
    columns: { id: 'bigint', name: 'text', value: 'float8' },
    row: (id) => ({ id, name: `item ${id}`, value: id / 4 }),
  },
  wide: {
    columns: {
      id: 'bigint',
      at: 'timestamptz',
      origin: 'text',
      destination: 'text',
      note: 'text',
      path: 'text',
      amount: 'numeric',
      flag: 'boolean',
      seats: 'int',
      ratio: 'float8',
      remark: 'text',
      extra: 'text',
    },
    row: (id) => ({
      id,
      at: new Date(1_700_000_000_000 + id * 1000),
      origin: 'ORD',
      destination: 'ACY',
      note: `${NOTES[id % NOTES.length]} ${id}`,
      path: `C:\\data\\${id % 100}\tand ${id}\n`,
      amount: `${id}.25`,
      flag: id % 3 === 0,
      seats: id % 500,
      ratio: id / 8,
      remark: `The customer said "${id % 77}" and nothing else that would be of interest`,
      extra: null,
    }),
  },
};

class Built implements Source<Row, number> {
  readonly name = 'built rows';
  readonly #shape: Shape;
  #at = 0;

  constructor(shape: Shape) {
    this.#shape = shape;
  }

  pull(demand: number): Positioned<Row, number> | undefined {
    const length = Math.min(demand, ROWS - this.#at);
    if (length === 0) return undefined;
    const from = this.#at;
    this.#at += length;
    return {
      items: Array.from({ length }, (_, index) => this.#shape.row(from + index)),
      position: this.#at,
    };
  }
}

const service = await startPostgres();
const client = new pg.Client(service.url);
await client.connect();
const folder = mkdtempSync(join(tmpdir(), 'streamweld-bench-'));

async function bySink(
  shape: Shape,
  mode: 'copy' | 'insert',
  writers: number,
  isExactlyOnce = false,
): Promise<void> {
  const sink = new PostgresSink<Row>({ connection: service.url, table: 't', mode });
  const pipeline = new ConcurrentPipeline(new Built(shape), sink)
    .bufferSize(BATCH * (writers + 1))
    .maxConcurrency(writers);
  if (isExactlyOnce) pipeline.checkpoint(new MemoryCheckpointStore(), 'bench');
  await pipeline.run();
}

async function byUnnest({ columns, row }: Shape): Promise<void> {
  const names = Object.keys(columns);
  const parameters = Object.values(columns).map((type, at) => `$${at + 1}::${type}[]`);
  const sql = `insert into t (${names.join(', ')}) select * from unnest(${parameters.join(', ')})`;
  for (let from = 0; from < ROWS; from += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, ROWS - from) }, (_, at) => row(from + at));
    await client.query(
      sql,
      names.map((name) => rows.map((each) => each[name])),
    );
  }
}

function* linesOf({ row }: Shape): Generator<Uint8Array> {
  let lines = '';
  const message = (): Uint8Array => {
    const length = Buffer.byteLength(lines);
    const bytes = Buffer.allocUnsafe(length + 5);
    bytes[0] = 0x64;
    bytes.writeInt32BE(length + 4, 1);
    bytes.write(lines, 5);
    lines = '';
    return bytes;
  };
  for (let id = 0; id < ROWS; id++) {
    const fields = Object.values(row(id)).map((value) => {
      if (value === null) return '\\N';
      if (value instanceof Date) return value.toISOString();
      return typeof value === 'string' ? value.replace(/[\\\t\n\r]/g, escaped) : String(value as number);
    });
    lines += `${fields.join('\t')}\n`;
    if (lines.length > 1 << 16) yield message();
  }
  if (lines !== '') yield message();
}

function escaped(character: string): string {
  return { '\t': '\\t', '\n': '\\n', '\r': '\\r' }[character] ?? '\\\\';
}

/** One COPY of all rows, each made when it is its turn. */
async function byHand(shape: Shape): Promise<void> {
  const copy = new CopyIn(`copy t (${Object.keys(shape.columns).join(', ')}) from stdin`);
  client.query(copy as never);
  await copy.send(linesOf(shape));
}

async function byPsql(file: string): Promise<void> {
  const child = spawn('psql', [service.url, '-q', '-c', `\\copy t from '${file}'`], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number];
  if (code !== 0) throw new Error('psql failed.');
}

async function bySource(): Promise<void> {
  let count = 0;
  const source = new PostgresSource({ connection: service.url, query: 'select * from t' });
  await new ConcurrentPipeline(source, (rows: readonly Row[]) => {
    count += rows.length;
  }).run();
  if (count !== ROWS) throw new Error(`${count} rows were read.`);
}

async function byCursor(): Promise<void> {
  const cursor = client.query(new Cursor<Row>('select * from t'));
  let count = 0;
  for (let rows = await cursor.read(FETCH); rows.length > 0; rows = await cursor.read(FETCH))
    count += rows.length;
  await cursor.close();
  if (count !== ROWS) throw new Error(`${count} rows were read.`);
}

/** Of this process and of its children that ended, in milliseconds; and of all servers on the machine. */
function processorTimes(): { readonly client: number; readonly server: number } {
  const { user, system } = process.cpuUsage();
  let [client, server] = [(user + system) / 1000, 0];
  if (process.platform !== 'linux') return { client, server };
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
      // utime, stime, and those of children, in hundredths of a second.
      const times = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 15)
        .map((text) => 10 * Number(text));
      const [own = 0, ofSystem = 0, children = 0, childrenOfSystem = 0] = times;
      if (Number(id) === process.pid) client += children + childrenOfSystem;
      else if (stat.includes('(postgres)')) server += own + ofSystem + children + childrenOfSystem;
    } catch {
      // It has ended.
    }
  }
  return { client, server };
}

/** How fast the first is to be, of the second; without an aim it is only told. */
type Aim = readonly [name: string, of: string, least?: number];

async function compare(
  title: string,
  isWriting: boolean,
  rivals: Readonly<Record<string, () => Promise<void>>>,
  aims: readonly Aim[],
): Promise<void> {
  if (!title.includes(process.env['ONLY'] ?? '')) return;
  const all = new Map<string, { wall: number; client: number; server: number }[]>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, run] of Object.entries(rivals)) {
      if (isWriting) await client.query('truncate t');
      globalThis.gc?.();
      const before = processorTimes();
      const begun = performance.now();
      await run();
      const wall = performance.now() - begun;
      const after = processorTimes();
      const { rows } = await client.query<{ n: number }>('select count(*)::int as n from t');
      if (rows[0]?.n !== ROWS) throw new Error(`${title}, ${name}: the table has ${rows[0]?.n} rows.`);
      // The first round warms up.
      if (round === 0) continue;
      const times = all.get(name) ?? [];
      times.push({ wall, client: after.client - before.client, server: after.server - before.server });
      all.set(name, times);
    }
  }
  console.log(`\n${title}, ${ROWS} rows`);
  for (const [name, times] of all) {
    const of = (what: 'wall' | 'client' | 'server'): number => median(times.map((each) => each[what]));
    const rate = `${(ROWS / of('wall')).toFixed(0)} k rows/s`.padStart(14);
    console.log(
      `  ${name.padEnd(34)}${rate}   client ${of('client').toFixed(0)} ms, server ${of('server').toFixed(0)} ms`,
    );
  }
  for (const [name, rival, least] of aims) {
    const [ours, theirs] = [all.get(name), all.get(rival)];
    if (ours === undefined || theirs === undefined) continue;
    const ratio = median(ours.map(({ wall }, round) => (theirs[round] as { wall: number }).wall / wall));
    const isBelow = least !== undefined && ratio < least;
    const aim = least === undefined ? '' : `, aim ${least}${isBelow ? ': below it' : ''}`;
    console.log(`  ${name} / ${rival}: ${ratio.toFixed(2)}${aim}`);
    if (isBelow && process.argv.includes('--check')) process.exitCode = 1;
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;
}

try {
  for (const [name, shape] of Object.entries(SHAPES)) {
    const columns = Object.entries(shape.columns).map(([column, type]) => `${column} ${type}`);
    await client.query(`drop table if exists t; create table t (${columns.join(', ')})`);
    await bySink(shape, 'copy', 2);
    const file = join(folder, name);
    const dump = spawn('psql', [service.url, '-q', '-c', `\\copy t to '${file}'`], { stdio: 'inherit' });
    const hasPsql = await once(dump, 'exit').then(
      ([code]) => code === 0,
      () => false,
    );
    if (!hasPsql) console.log('There is no psql: COPY is compared with nothing.');
    await compare(`source, ${name}`, false, { PostgresSource: bySource, 'pg-cursor in a loop': byCursor }, [
      ['PostgresSource', 'pg-cursor in a loop', 0.9],
    ]);
    await compare(
      `copy, ${name}`,
      true,
      {
        'PostgresSink, one writer': () => bySink(shape, 'copy', 1),
        'PostgresSink, two writers': () => bySink(shape, 'copy', 2),
        'PostgresSink, exactly once': () => bySink(shape, 'copy', 1, true),
        'rows joined by hand': () => byHand(shape),
        ...(hasPsql ? { 'psql \\copy of a file': () => byPsql(file) } : {}),
      },
      [
        ['PostgresSink, two writers', 'psql \\copy of a file', 0.8],
        ['PostgresSink, two writers', 'rows joined by hand'],
        ['PostgresSink, exactly once', 'PostgresSink, one writer', 0.85],
        ['rows joined by hand', 'psql \\copy of a file'],
      ],
    );
    await compare(
      `insert, ${name}`,
      true,
      {
        'PostgresSink, one writer': () => bySink(shape, 'insert', 1),
        'PostgresSink, two writers': () => bySink(shape, 'insert', 2),
        'UNNEST by pg': () => byUnnest(shape),
      },
      [['PostgresSink, two writers', 'UNNEST by pg', 1]],
    );
  }
} finally {
  await client.end();
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
}
