/** Places of files, for the suite of sources: how they are seeded, and how FileSource reads them. */

import { appendFileSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type FilePosition, FileSource, type FileSourceOptions } from '@streamweld/file';
import type { SeededPlace, SourceHarness } from '@streamweld/testing';

interface Kind {
  readonly files: number;
  readonly suffix: string;
  readonly options?: FileSourceOptions & { readonly format?: 'lines' | 'ndjson' };
  /** An item as it comes, and as it stands in the file. */
  readonly item?: (text: string) => unknown;
  readonly line?: (text: string) => string;
  readonly encode?: (text: string) => string | Uint8Array;
}

interface Folder extends SeededPlace<unknown, FilePosition> {
  readonly folder: string;
}

const textOf = (file: number, index: number): string => `line ${index} of file ${file}, as no other is`;

function filesOf(kind: Kind): SourceHarness<unknown, FilePosition> {
  const {
    files,
    suffix,
    options,
    item = (text) => text,
    line = (text) => text,
    encode = (text) => text,
  } = kind;
  const place = (contents: readonly (readonly string[])[], extra = ''): Folder => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'streamweld-file-')));
    for (const [file, texts] of contents.entries()) {
      const lines = texts.map((text) => `${line(text)}\n`).join('');
      writeFileSync(join(folder, `${file}.${suffix}`), encode(lines + extra));
    }
    const path = join(folder, `*.${suffix}`);
    return {
      folder,
      items: contents.flat().map(item),
      create: () => new FileSource(path, options as never) as FileSource<unknown>,
      cleanUp: () => rmSync(folder, { recursive: true }),
    };
  };
  const share = (count: number): string[][] =>
    Array.from({ length: files }, (_, file) =>
      Array.from({ length: Math.floor((count + files - 1 - file) / files) }, (_, index) =>
        textOf(file, index),
      ),
    );
  return {
    seed: (count) => place(share(count)),
    absurdPositions: () => [
      {},
      { offset: 3, record: 1 },
      { offset: -1, record: 0, incarnation: 0, file: {} },
    ],
    ...(options?.format === 'ndjson'
      ? { seedDamaged: (secret) => place(share(9), `{"password": "${secret}\n`) }
      : undefined),
    ...(options?.follow === undefined
      ? undefined
      : {
          grow: (place: SeededPlace<unknown, FilePosition>, count: number) => {
            const { folder } = place as Folder;
            const [first] = readdirSync(folder).toSorted();
            const texts = Array.from({ length: count }, (_, index) => `line ${index} that came later`);
            appendFileSync(join(folder, first as string), texts.map((text) => `${line(text)}\n`).join(''));
            return texts.map(item);
          },
        }),
  };
}

const record = (text: string): unknown => ({ text, length: text.length });
const ndjson = {
  suffix: 'ndjson',
  options: { format: 'ndjson' },
  item: record,
  line: (text: string) => JSON.stringify(record(text)),
} as const;

export const FILE_SOURCES: Readonly<Record<string, SourceHarness<unknown, FilePosition>>> = {
  lines: filesOf({ files: 1, suffix: 'log' }),
  'lines in small chunks': filesOf({ files: 1, suffix: 'log', options: { chunkBytes: 16 } }),
  'many files': filesOf({ files: 4, suffix: 'log' }),
  ndjson: filesOf({ files: 2, ...ndjson }),
  gzip: filesOf({ files: 3, suffix: 'log.gz', encode: (text) => gzipSync(text) }),
  'files that are followed': filesOf({ files: 3, suffix: 'log', options: { follow: { pollMs: 5 } } }),
};
