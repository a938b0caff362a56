/** Files as sources and sinks: one file, many, or a glob; lines, NDJSON, CSV or bytes; plain or gzip. */

// Reading
export { FileSource, type FileSourceConstructor } from './source.js';
export type { FileIdentity, FilePosition } from './source-file.js';

// Writing
export { FileSink, type FilePath, type FileSinkConstructor } from './sink.js';

// Options
export type { Compression, FileSinkOptions, FileSourceOptions } from './options.js';

// The file layer, for a client of one's own
export type { FileHandle, FileStat, FileSystem, FolderEntry } from './client.js';

// Errors
export { FILE_ERROR_CODES, FileError, type FileErrorCode, FileItemError } from './errors.js';
