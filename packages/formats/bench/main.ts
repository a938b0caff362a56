/**
 * The formats beside what else does their work, in one interleaved run, so that a busy machine slows all alike:
 *
 *     node --expose-gc --conditions=@streamweld/source --import tsx packages/formats/bench/main.ts [rounds]
 *
 * Ratios above 1 mean that StreamWeld is faster. Each way counts what it made, and the counts must agree.
 */

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { createGunzip, gzipSync } from 'node:zlib';
import { csv, type Format, gunzip, lines, ndjson } from '@streamweld/formats';
import { parse } from 'csv-parse';
import Papa from 'papaparse';
import {
  chunksOf,
  flightJson,
  type Input,
  logLine,
  make,
  mixedPlace,
  PLACE_HEADER,
  plainPlace,
  quotedPlace,
} from './inputs.ts';

const MEBIBYTE = 1 << 20;
const rounds = Number(process.argv[2] ?? 5);

type Way = () => number | Promise<number>;

function decode(format: Format<unknown, never>, input: Input): number {
  const decoder = format.decoder();
  let count = 0;
  const takeAll = (): void => {
    for (let items = decoder.take(500); items.length > 0; items = decoder.take(500)) count += items.length;
  };
  for (const chunk of input.chunks) {
    decoder.push(chunk);
    takeAll();
  }
  decoder.end();
  takeAll();
  return count;
}

async function readlineOf(input: Input): Promise<number> {
  let count = 0;
  const reader = createInterface({
    input: Readable.from(input.chunks, { objectMode: false }),
    crlfDelay: Infinity,
  });
  reader.on('line', () => count++);
  await once(reader, 'close');
  return count;
}

/** The least that can be done by hand: decode, join what was cut, split. Knows no CRLF, limit, offset or bad UTF-8. */
function splitByHand(input: Input, use: (lines: string[]) => number): number {
  let count = 0;
  let rest = '';
  for (const chunk of input.chunks) {
    const parts = (rest + chunk.toString('latin1')).split('\n');
    rest = parts.pop() ?? '';
    count += use(parts);
  }
  return count;
}

async function csvParse(input: Input): Promise<number> {
  let count = 0;
  const parser = parse({ columns: true });
  parser.on('data', () => count++);
  Readable.from(input.chunks, { objectMode: false }).pipe(parser);
  await once(parser, 'end');
  return count;
}

function papaWhole(input: Input): number {
  const text = Buffer.concat(input.chunks as Buffer[]).toString();
  return Papa.parse(text, { header: true, delimiter: ',', newline: '\n', skipEmptyLines: true }).data.length;
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.length;
  return bytes;
}

async function compare(title: string, input: Input, ways: Record<string, Way>): Promise<void> {
  const times = new Map<string, number[]>();
  const counts = new Set<number>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, way] of Object.entries(ways)) {
      globalThis.gc?.();
      const start = performance.now();
      counts.add(await way());
      const list = times.get(name) ?? [];
      list.push(performance.now() - start);
      times.set(name, list);
    }
  }
  if (counts.size !== 1) throw new Error(`${title}: the ways do not agree: ${[...counts].join(', ')}`);
  const best = (name: string): number => Math.min(...(times.get(name) ?? []));
  const own = best('streamweld');
  console.log(
    `\n${title}: ${(input.bytes / MEBIBYTE).toFixed(0)} MiB, ${input.records} records, best of ${rounds}`,
  );
  for (const name of Object.keys(ways)) {
    const ms = best(name);
    const rate = `${(input.bytes / ms / 1e6).toFixed(2)} GB/s`;
    const records = `${(input.records / ms / 1e3).toFixed(2)} M/s`;
    const ratio = name === 'streamweld' ? '' : `streamweld is ${(ms / own).toFixed(2)} ×`;
    console.log(`  ${name.padEnd(34)}${rate.padStart(10)}${records.padStart(12)}   ${ratio}`);
  }
}

const log = make(64 * MEBIBYTE, logLine);
await compare('lines', log, {
  streamweld: () => decode(lines(), log),
  'node:readline': () => readlineOf(log),
  'split by hand': () => splitByHand(log, (parts) => parts.length),
});

const umlauts = make(64 * MEBIBYTE, (index) => `${logLine(index)} "Überführung"`);
await compare('lines, not ASCII', umlauts, {
  streamweld: () => decode(lines(), umlauts),
  'node:readline': () => readlineOf(umlauts),
});

const flights = make(64 * MEBIBYTE, flightJson);
const ready = Buffer.concat(flights.chunks as Buffer[])
  .toString()
  .trimEnd()
  .split('\n');
const parseEach = (parts: string[]): number => {
  const values: unknown[] = [];
  for (const line of parts) values.push(JSON.parse(line));
  return values.length;
};
await compare('ndjson', flights, {
  streamweld: () => decode(ndjson(), flights),
  'JSON.parse of lines that are there': () => {
    let count = 0;
    for (let at = 0; at < ready.length; at += 500) count += parseEach(ready.slice(at, at + 500));
    return count;
  },
  'split by hand, JSON.parse': () => splitByHand(flights, parseEach),
});

for (const [name, line] of [
  ['without quotes', plainPlace],
  ['quotes in one record of twenty', mixedPlace],
  ['quotes in each record', quotedPlace],
] as const) {
  const places = make(8 * MEBIBYTE, line, PLACE_HEADER);
  await compare(`csv, ${name}`, places, {
    streamweld: () => decode(csv(), places),
    'csv-parse, stream': () => csvParse(places),
    'papaparse, whole text': () => papaWhole(places),
  });
}

const compressed = chunksOf(gzipSync(Buffer.concat(log.chunks as Buffer[])));
await compare('gunzip', log, {
  streamweld: () => bytesOf(gunzip(compressed)),
  'node:zlib, its defaults': () => bytesOf(Readable.from(compressed).pipe(createGunzip())),
});

const values = ready.map((line) => JSON.parse(line) as unknown);
await compare('ndjson, encoding', flights, {
  streamweld: () => {
    const encoder = ndjson().encoder();
    let bytes = 0;
    for (let at = 0; at < values.length; at += 500)
      bytes += encoder.encode(values.slice(at, at + 500)).length;
    return bytes;
  },
  'JSON.stringify and Buffer.from each': () => {
    let bytes = 0;
    for (const value of values) bytes += Buffer.from(`${JSON.stringify(value)}\n`).length;
    return bytes;
  },
});
