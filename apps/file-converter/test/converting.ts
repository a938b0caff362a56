/** A file converted as a thread does it, without the thread. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, type SchemaElement } from 'hyparquet';
import convert, { type Outcome, type Settings } from '../src/convert.ts';
import { type FileKind, kindOf } from '../src/file-kind.ts';

const PLAIN: Settings = { types: false, nullText: undefined, force: false };

export class Bench implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<Bench> {
    return new Bench(await mkdtemp(join(tmpdir(), 'converter-')));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, content: string | Uint8Array): Promise<void> {
    await writeFile(this.path(name), content);
  }

  text(name: string): Promise<string> {
    return readFile(this.path(name), 'utf8');
  }

  async parquet(name: string): Promise<Record<string, unknown>[]> {
    return parquetReadObjects({ file: await asyncBufferFromFile(this.path(name)) });
  }

  async schema(name: string): Promise<readonly SchemaElement[]> {
    return (await parquetMetadataAsync(await asyncBufferFromFile(this.path(name)))).schema.slice(1);
  }

  convert(
    input: string,
    output: string,
    settings?: Partial<Settings>,
    signal?: AbortSignal,
  ): Promise<Outcome> {
    const job = {
      input: this.path(input),
      from: kindOf(input) as FileKind,
      output: this.path(output),
      to: kindOf(output) as FileKind,
      temporary: this.path(`.${output}.test.part`),
    };
    return convert(job, {
      data: { ...PLAIN, ...settings },
      signal: signal ?? new AbortController().signal,
      transfer: (value) => value,
      refuse: () => {},
    });
  }

  /** @returns why it was refused */
  async refusal(input: string, output: string, settings?: Partial<Settings>): Promise<string> {
    const outcome = await this.convert(input, output, settings);
    return 'reason' in outcome ? outcome.reason : `converted: ${JSON.stringify(outcome)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}
