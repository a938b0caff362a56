/** What is in a file, as its name says. */

type TableFormat = 'csv' | 'ndjson' | 'parquet';
export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'avif';

export interface FileKind {
  readonly format: TableFormat | ImageFormat;
  readonly isGzip: boolean;
}

/** What can be asked for by `--to`, and is the ending of what is written. */
export const TARGETS = ['csv', 'csv.gz', 'ndjson', 'ndjson.gz', 'parquet', 'webp', 'avif'] as const;
export type Target = (typeof TARGETS)[number];

const ENDINGS: Readonly<Record<string, FileKind>> = {
  '.csv': { format: 'csv', isGzip: false },
  '.csv.gz': { format: 'csv', isGzip: true },
  '.ndjson': { format: 'ndjson', isGzip: false },
  '.ndjson.gz': { format: 'ndjson', isGzip: true },
  '.jsonl': { format: 'ndjson', isGzip: false },
  '.jsonl.gz': { format: 'ndjson', isGzip: true },
  '.parquet': { format: 'parquet', isGzip: false },
  '.png': { format: 'png', isGzip: false },
  '.jpg': { format: 'jpeg', isGzip: false },
  '.jpeg': { format: 'jpeg', isGzip: false },
  '.webp': { format: 'webp', isGzip: false },
  '.avif': { format: 'avif', isGzip: false },
};

/** @returns undefined where nothing is known that a file of this name would be */
export function kindOf(path: string): FileKind | undefined {
  return ENDINGS[endingOf(path)];
}

/** `report.csv.gz` to `report`. */
export function stemOf(path: string): string {
  return path.slice(0, path.length - endingOf(path).length);
}

export function isImage(format: FileKind['format']): format is ImageFormat {
  return format !== 'csv' && format !== 'ndjson' && format !== 'parquet';
}

/** Whether one can become the other at all: a table another table, an image another image. */
export function canBecome(from: FileKind, to: FileKind): boolean {
  const isSame = from.format === to.format && from.isGzip === to.isGzip;
  return !isSame && isImage(from.format) === isImage(to.format);
}

function endingOf(path: string): string {
  return /(?:\.[^./\\]+)?(?:\.gz)?$/i.exec(path)?.[0].toLowerCase() ?? '';
}
