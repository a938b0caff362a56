/** Bytes to items and back, whatever they come from: lines, NDJSON, CSV, bytes, gzip. Nothing here reads or writes. */

// The contract
export type { Decoder, DecoderOptions, Encoder, Format, FormatName } from './format.js';

// The formats
export { bytes } from './bytes.js';
export { lines } from './lines.js';
export { ndjson } from './ndjson.js';
export type { BytesOptions, LinesOptions, NdjsonOptions, TextOptions } from './options.js';

// Errors
export { FORMAT_ERROR_CODES, FormatError, type FormatErrorCode, type FormatErrorPlace } from './errors.js';
