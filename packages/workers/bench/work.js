/** The work that is measured, the same on the main thread and on others, and what it took of the processor. */
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/**
 * @typedef {{ readonly id: number, readonly city: string, readonly temperature: number, readonly note: string }} Row
 * @typedef {{ readonly rows: number, readonly bytes: Uint8Array<ArrayBuffer> | undefined, readonly cpuMs: number }} Done
 */

/** What this thread has had of a processor so far, in milliseconds; Linux alone tells. */
function threadCpuMs() {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return Number.NaN;
  }
}

/**
 * NDJSON to other NDJSON, compressed.
 * @param {string} text
 */
function convert(text) {
  const lines = text.split('\n').filter((line) => line !== '');
  const rows = lines.map((line) => /** @type {Row} */ (JSON.parse(line)));
  return pack(rows);
}

/** @param {readonly Row[]} rows */
function pack(rows) {
  const text = rows
    .map(({ id, city, temperature, note }) =>
      JSON.stringify({ id, city, fahrenheit: temperature * 1.8 + 32, note }),
    )
    .join('\n');
  const bytes = gzipSync(text, { level: 6 });
  return { rows: rows.length, bytes: Uint8Array.prototype.slice.call(bytes) };
}

/**
 * The whole task: only the path crosses.
 * @param {string} path
 * @returns {Done}
 */
export function ofPath(path) {
  const began = threadCpuMs();
  const { rows, bytes } = convert(readFileSync(path, 'utf8'));
  writeFileSync(`${path}.gz`, bytes);
  return { rows, bytes: undefined, cpuMs: threadCpuMs() - began };
}

/**
 * What was read elsewhere.
 * @param {Uint8Array<ArrayBuffer>} read
 * @returns {Done & { readonly bytes: Uint8Array<ArrayBuffer> }}
 */
export function ofBytes(read) {
  const began = threadCpuMs();
  const done = convert(new TextDecoder().decode(read));
  return { ...done, cpuMs: threadCpuMs() - began };
}

/**
 * What was parsed elsewhere.
 * @param {readonly Row[]} rows
 * @returns {Done & { readonly bytes: Uint8Array<ArrayBuffer> }}
 */
export function ofRows(rows) {
  const began = threadCpuMs();
  const done = pack(rows);
  return { ...done, cpuMs: threadCpuMs() - began };
}
