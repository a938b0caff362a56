/** What the benchmark reads: made from counters, so each run has the same. */

const CHUNK_BYTES = 256 << 10;

export interface Input {
  readonly chunks: readonly Buffer[];
  readonly bytes: number;
  readonly records: number;
}

/** At least `bytes` of what `line` makes of 0, 1, 2 …, in chunks as a file is read. */
export function make(bytes: number, line: (index: number) => string, header = ''): Input {
  const lines: string[] = header === '' ? [] : [header];
  let size = 0;
  let records = 0;
  while (size < bytes) {
    const next = line(records++);
    lines.push(next);
    size += next.length + 1;
  }
  const all = Buffer.from(`${lines.join('\n')}\n`);
  return { chunks: chunksOf(all), bytes: all.length, records };
}

export function chunksOf(all: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < all.length; at += CHUNK_BYTES) chunks.push(all.subarray(at, at + CHUNK_BYTES));
  return chunks;
}

export function logLine(index: number): string {
  const host = `10.${index % 7}.${index % 256}.${(index * 7) % 256}`;
  return `${host} - - [12/Mar/2026:10:${index % 60}:00 +0000] "GET /path/${index} HTTP/1.1" 200 ${index % 9999} "-"`;
}

export function flightJson(index: number): string {
  return JSON.stringify({
    id: index,
    date: `2001-01-01T00:${index % 60}`,
    delay: (index % 99) - 9,
    distance: index % 3000,
    origin: 'ORD',
    destination: 'ACY',
  });
}

export const PLACE_HEADER = 'code,latitude,longitude,city,state,county';

export function plainPlace(index: number): string {
  return `${10000 + index},40.${index % 999999},-72.${index % 9999},Springfield ${index % 97},NY,Suffolk`;
}

export function quotedPlace(index: number): string {
  return `${10000 + index},40.${index % 999999},-72.${index % 9999},"Springfield, ""the ${index % 97}th""",NY,Suffolk`;
}

/** One record in twenty has a quote: what spreadsheets write. */
export function mixedPlace(index: number): string {
  return index % 20 === 0 ? quotedPlace(index) : plainPlace(index);
}
