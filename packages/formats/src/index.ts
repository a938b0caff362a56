/** Bytes to items and back, whatever they come from: lines, NDJSON, CSV, bytes, gzip. Nothing here reads or writes. */

// The contract
export type { Decoder, DecoderOptions, Encoder, Format, FormatName } from './format.js';
export {
  type FormatInput,
  type FormatItem,
  type FormatLike,
  type FormatOptions,
  toFormat,
} from './to-format.js';

// The formats
export { bytes } from './bytes.js';
export { csv } from './csv.js';
export { lines } from './lines.js';
export { ndjson } from './ndjson.js';
export type { CsvRecord, CsvRow, CsvValue } from './csv-encoder.js';
export type { BytesOptions, CsvOptions, LinesOptions, NdjsonOptions, TextOptions } from './options.js';

// Gzip
export { Gzip, gunzip, isGzip } from './gzip.js';
export type { GunzipOptions, GzipOptions } from './options.js';

// Errors
export { FORMAT_ERROR_CODES, FormatError, type FormatErrorCode, type FormatErrorPlace } from './errors.js';
