/** Files as sources and sinks: one file, many, or a glob; lines, NDJSON, CSV or bytes; plain or gzip. */

// Reading
export { FileSource, type FileSourceConstructor } from './source.ts';
export type { FileHead, FileIdentity, FilePosition } from './source-position.ts';

// Writing
export type { Fsync } from './sink-way.ts';
export { FileSink, type FilePath, type FileSinkConstructor } from './sink.ts';

// Positions
export { FileCheckpointStore, type FileCheckpointStoreOptions } from './checkpoint-store.ts';

// Options
export type {
  Compression,
  FileSinkOptions,
  FileSourceOptions,
  FollowOptions,
  RollOptions,
} from './options.ts';

// The file layer, for a client of one's own
export type { FileHandle, FileStat, FileSystem, FolderEntry } from './client.ts';

// Errors
export {
  FILE_ERROR_CODES,
  FileError,
  type FileErrorCode,
  type FileErrorDetails,
  FileItemError,
} from './errors.ts';
