/** Bytes to items and back, whatever they come from: lines, NDJSON, CSV, bytes, gzip. Nothing here reads or writes. */

// The contract
export type { Decoder, DecoderOptions, Encoder, EncoderOptions, Format, FormatName } from './format.ts';
export {
  type FormatInput,
  type FormatItem,
  type FormatLike,
  type FormatOptions,
  toFormat,
} from './to-format.ts';

// The formats
export { bytes } from './bytes.ts';
export { csv } from './csv.ts';
export { lines } from './lines.ts';
export { ndjson } from './ndjson.ts';
export type { CsvRecord, CsvRow, CsvValue } from './csv-encoder.ts';
export type { BytesOptions, CsvOptions, LinesOptions, NdjsonOptions, TextOptions } from './options.ts';

// Gzip
export { Gzip, gunzip, isGzip } from './gzip.ts';
export type { GunzipOptions, GzipOptions } from './options.ts';

// Errors
export { FORMAT_ERROR_CODES, FormatError, type FormatErrorCode, type FormatErrorPlace } from './errors.ts';
