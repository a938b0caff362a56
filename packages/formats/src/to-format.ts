/** A format by its name. */

import { OptionError } from '@streamweld/core/connector';
import { bytes } from './bytes.ts';
import { csv } from './csv.ts';
import type { CsvRecord } from './csv-encoder.ts';
import type { Format, FormatName } from './format.ts';
import { lines } from './lines.ts';
import { ndjson } from './ndjson.ts';
import type { BytesOptions, CsvOptions, LinesOptions, NdjsonOptions } from './options.ts';

/** What each name stands for: the items read, the items written, the options. One table for the types below. */
interface Named {
  lines: { item: string; input: string; options: LinesOptions };
  ndjson: { item: unknown; input: unknown; options: NdjsonOptions };
  csv: { item: Record<string, string>; input: CsvRecord; options: CsvObjectOptions };
  bytes: { item: Uint8Array; input: Uint8Array; options: BytesOptions };
}

/** By its name a CSV gives objects; for arrays hand over `csv({ header: false })`. */
type CsvObjectOptions = CsvOptions & { readonly header?: true | readonly string[] | undefined };

/** Wherever a format is taken: one of the names, or a format, of this package or of your own. */
export type FormatLike<T = unknown, I = never> = FormatName | Format<T, I>;

/** The items that reading a format gives. */
export type FormatItem<F> = F extends FormatName
  ? Named[F]['item']
  : F extends { decoder(): { take(max: number): readonly (infer T)[] } }
    ? T
    : never;

/** The items that writing a format takes. */
export type FormatInput<F> = F extends FormatName
  ? Named[F]['input']
  : F extends { encoder(): { encode(items: readonly (infer I)[]): Uint8Array } }
    ? I
    : never;

/** The options that go with a name. A format that is handed over has its own. */
export type FormatOptions<F> = F extends FormatName ? Named[F]['options'] : undefined;

/** The format of this name, with these options; a format that is handed over is answered as it is. */
export function toFormat<F extends FormatLike>(
  format: F,
  options?: FormatOptions<F>,
): Format<FormatItem<F>, FormatInput<F>>;
export function toFormat(format: FormatLike, options?: object): unknown {
  switch (format) {
    case 'lines':
      return lines(options);
    case 'ndjson':
      return ndjson(options);
    case 'csv':
      return csv(options as CsvObjectOptions | undefined);
    case 'bytes':
      return bytes(options);
    default:
      return checkFormat(format, options);
  }
}

function checkFormat(format: Format<unknown, never>, options: object | undefined): Format<unknown, never> {
  const given = format as unknown;
  const isFormat =
    typeof given === 'object' &&
    given !== null &&
    typeof (given as Format<unknown>).decoder === 'function' &&
    typeof (given as Format<unknown>).encoder === 'function';
  if (!isFormat) {
    throw new OptionError(
      'format',
      "'lines', 'ndjson', 'csv', 'bytes' or a format with decoder and encoder",
      given,
    );
  }
  if (options !== undefined) {
    throw new OptionError(
      'options',
      'left out beside a format that is handed over',
      options,
      `Give them where it is made: csv({ delimiter: ';' }).`,
    );
  }
  return format;
}
