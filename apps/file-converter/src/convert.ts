/** The work of a thread: one file, from its path to its path. Nothing of what is in it crosses. */

import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isStreamWeldError } from '@streamweld/core/connector';
import type { ThreadContext } from '@streamweld/workers';
import { CsvWriter, openCsv } from './csv-table.ts';
import { type FileKind, isImage } from './file-kind.ts';
import { openNdjson, NdjsonWriter } from './ndjson-table.ts';
import { Output } from './output.ts';
import { openParquet } from './parquet-table.ts';
import { ParquetWriter } from './parquet-writer.ts';
import { Refusal, type Table, type TableSettings, type TableWriter } from './table.ts';

/** A file to convert. */
export interface Job {
  readonly input: string;
  readonly from: FileKind;
  readonly output: string;
  readonly to: FileKind;
  /** Where it is written until it is whole: beside the output, and of this run alone. */
  readonly temporary: string;
}

export interface Settings extends TableSettings {
  readonly force: boolean;
}

export interface Converted {
  readonly input: string;
  /** Of a table; an image has none. */
  readonly rows: number | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** What it took of a processor, on its own thread; NaN where the system does not tell. */
  readonly cpuMs: number;
}

export interface Refused {
  readonly input: string;
  readonly reason: string;
}

export type Outcome = Converted | Refused;

/** A file that cannot be converted is an outcome too: the others go on. */
export default async function convert(
  job: Job,
  { data: settings, signal }: ThreadContext<Settings>,
): Promise<Outcome> {
  const began = threadCpuMs();
  let output: Output | undefined;
  try {
    const before = await stat(job.input);
    output = await Output.open({
      path: job.output,
      isGzip: job.to.isGzip,
      force: settings.force,
      temporary: job.temporary,
    });
    const rows = isImage(job.from.format)
      ? await image(job, output)
      : await table(job, settings, signal, output);
    const after = await stat(job.input);
    if (before.mtimeMs !== after.mtimeMs || before.size !== after.size)
      throw new Refusal('It was changed while it was read. Convert it when it is complete.');
    signal.throwIfAborted();
    const bytesOut = await output.finish();
    return { input: job.input, rows, bytesIn: before.size, bytesOut, cpuMs: threadCpuMs() - began };
  } catch (error) {
    // The run is given up: that is nothing about this file.
    signal.throwIfAborted();
    return { input: job.input, reason: reasonOf(error) };
  } finally {
    await output?.discard();
  }
}

async function table(job: Job, settings: Settings, signal: AbortSignal, output: Output): Promise<number> {
  const source = await openTable(job, settings, signal);
  const writer = writerOf(job, source, settings, output);
  let rows = 0;
  for await (const batch of source.rows()) {
    signal.throwIfAborted();
    await writer.write(batch);
    rows += batch.length;
  }
  await writer.end();
  return rows;
}

function openTable({ input: path, from }: Job, settings: Settings, signal: AbortSignal): Promise<Table> {
  const { format, isGzip } = from;
  if (format === 'parquet') return openParquet(path, signal);
  const input = { path, isGzip, signal };
  return format === 'csv' ? openCsv(input, settings) : openNdjson(input);
}

function writerOf({ to }: Job, { columns }: Table, settings: Settings, output: Output): TableWriter {
  if (to.format === 'parquet') return new ParquetWriter(columns, output);
  return to.format === 'csv' ? new CsvWriter(columns, settings, output) : new NdjsonWriter(columns, output);
}

/** sharp is loaded where there is an image. */
async function image({ input, to }: Job, output: Output): Promise<undefined> {
  const { encodeImage } = await import('./image.ts');
  await output.write(await encodeImage(input, to.format));
}

function threadCpuMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return Number.NaN;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  if (isStreamWeldError(error)) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : String(error);
}
